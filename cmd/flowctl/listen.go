package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// check refuses flags that do not go together, and reads the certificate.
func (f *daemonFlags) check() (*tls.Config, error) {
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return nil, usage("--tls-cert and --tls-key go together")
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return nil, usage("--listen %s: %v; an address is HOST:PORT, for example 127.0.0.1:8080", f.listen, err)
	}
	if f.tlsCert != "" {
		cert, err := tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
		if err != nil {
			return nil, usage("--tls-cert %s: %v", f.tlsCert, err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	}
	if !loopback(host) && !f.insecure {
		return nil, usage("--listen %s can be reached by others, who would read the tokens on their way; give --tls-cert and --tls-key, or --insecure-listen if something before it speaks TLS", f.listen)
	}
	return nil, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// base is the address by which this machine's own programs reach the API.
func (f *daemonFlags) base(addr net.Addr) string {
	scheme := "http"
	if f.tlsCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if len(f.hosts) > 0 && f.tlsCert != "" {
		host = f.hosts[0] // the certificate names it, not the address
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// httpServer answers whoever has a token. Clients that dawdle are cut off;
// an answer may take long, for it may be a large file.
func (n *network) httpServer(m *metrics, config *tls.Config, log *slog.Logger) *http.Server {
	guard := n.server.Guard
	paths := ownPaths{api: guard(n.server.Handler()), models: guard(n.models), metrics: guard(m.handler())}
	return &http.Server{
		Handler:           m.count(paths),
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// ownPaths sends this process's own paths where they are answered, and all
// others to the API: as they came, for a mux would clean them, and they are
// names.
type ownPaths struct {
	api, models, metrics http.Handler
}

func (p ownPaths) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/metrics" && r.Method == http.MethodGet && p.metrics != nil:
		p.metrics.ServeHTTP(w, r)
	case forMLflow(r):
		p.models.ServeHTTP(w, r)
	default:
		p.api.ServeHTTP(w, r)
	}
}
