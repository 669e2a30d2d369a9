package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// User is the name of whoever we are on the workspace.
func (c *Client) User(ctx context.Context) (string, error) {
	c.mu.Lock()
	user := c.user
	c.mu.Unlock()
	if user == "" {
		user = c.remembered()
	}
	if user != "" {
		return user, nil
	}
	var me struct {
		UserName string `json:"userName"`
	}
	if err := c.Get(ctx, "/api/2.0/preview/scim/v2/Me", nil, &me); err != nil {
		return "", fmt.Errorf("ask who we are on %s: %w", c.Host(), err)
	}
	if me.UserName == "" {
		return "", fmt.Errorf("ask who we are on %s: the answer names nobody", c.Host())
	}
	c.remember(me.UserName)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = me.UserName
	return me.UserName, nil
}

// nameFile is where the name of this login's owner is kept. The login itself
// is not in it: a hash names it.
func (c *Client) nameFile() string {
	cfg, err := c.config()
	if err != nil || c.Names == "" || cfg.Token == "" {
		return "" // other logins change by the hour
	}
	req, err := http.NewRequest(http.MethodGet, c.host, nil)
	if err != nil || cfg.Authenticate(req) != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(c.host + "\x00" + req.Header.Get("Authorization")))
	return filepath.Join(c.Names, hex.EncodeToString(sum[:]))
}

func (c *Client) remembered() string {
	raw, err := os.ReadFile(c.nameFile())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// remember keeps a name for the next process; without it that one asks again.
func (c *Client) remember(user string) {
	file := c.nameFile()
	if file == "" || os.MkdirAll(c.Names, 0o700) != nil {
		return
	}
	if os.WriteFile(file+".new", []byte(user), 0o600) == nil {
		_ = os.Rename(file+".new", file) // see above
	}
}
