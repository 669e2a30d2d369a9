package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"flowctl/engine/jobrun"
)

// printer shows a run on stderr: on a terminal as a live tree below the log,
// in a pipe as plain lines, one per change, each with its task's key.
type printer struct {
	out   io.Writer
	home  string
	run   int64
	quiet bool
	start time.Time
	page  string // where the run is shown on its workspace, once said

	mu    sync.Mutex
	tasks map[string]*taskLine
	order []string
	logs  map[string]*logTail
	tree  *tree // nil: plain lines
	ended chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

// taskLine is what is known of a task or an iteration.
type taskLine struct {
	name    string
	status  jobrun.Status
	attempt int
	began   time.Time
	ended   time.Time
	err     string
}

// logPoll is how often the logs of running tasks are looked at.
const logPoll = 100 * time.Millisecond

func newPrinter(e *env, home string, run int64, quiet bool) *printer {
	p := &printer{
		out: e.stderr, home: home, run: run, quiet: quiet, start: time.Now(),
		tasks: map[string]*taskLine{}, logs: map[string]*logTail{}, ended: make(chan struct{}),
	}
	if f, ok := e.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.tree = newTree(f)
	}
	p.wg.Add(1)
	go p.poll()
	return p
}

// poll shows new output of running tasks, and keeps the tree's clocks going.
func (p *printer) poll() {
	defer p.wg.Done()
	tick := time.NewTicker(logPoll)
	defer tick.Stop()
	for {
		select {
		case <-p.ended:
			return
		case <-tick.C:
			p.mu.Lock()
			for _, l := range p.logs {
				p.drain(l)
			}
			p.redraw()
			p.mu.Unlock()
		}
	}
}

// stop ends the live display; what was shown stays.
func (p *printer) stop() {
	p.once.Do(func() {
		close(p.ended)
		p.wg.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, l := range p.logs {
			p.drain(l)
			l.close()
		}
		p.redraw()
		if p.tree != nil {
			p.tree.leave()
		}
	})
}

// say shows a line of our own.
func (p *printer) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(text)
}

// entry shows what an entry of the journal changed.
func (p *printer) entry(e jobrun.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tasks) == 0 && p.tree == nil {
		p.line(fmt.Sprintf("Run %d started", p.run))
	}
	if e.Page != "" && e.Page != p.page {
		p.page = e.Page
		p.line("On the workspace: " + e.Page)
	}
	for _, c := range e.Changes {
		p.change(e, c)
	}
	if e.Run != nil && e.Run.State == jobrun.Terminated && p.tree == nil {
		p.line(fmt.Sprintf("Run %d %s", p.run, endText(*e.Run)))
	}
	p.redraw()
}

func (p *printer) change(e jobrun.Entry, c jobrun.Change) {
	name := c.Key
	if c.Item > 0 {
		name += "[" + strconv.Itoa(c.Item-1) + "]"
	}
	t := p.tasks[name]
	if t == nil {
		t = &taskLine{name: name}
		p.tasks[name] = t
		p.order = append(p.order, name)
	}
	if t.status == c.Status && t.attempt == c.Number {
		return
	}
	if t.attempt != c.Number { // the last attempt failed and this one follows
		p.finishLog(name)
		p.lineFor(name, fmt.Sprintf("attempt %d failed, attempt %d follows", t.attempt+1, c.Number+1))
		t.began, t.ended = time.Time{}, time.Time{}
	}
	t.status, t.attempt, t.err = c.Status, c.Number, c.Error
	switch c.Status.State {
	case jobrun.Pending, jobrun.Running:
		if t.began.IsZero() {
			t.began = e.At
			p.openLog(name, c)
		}
		if c.Status.State == jobrun.Running {
			p.plain(name, "RUNNING")
		}
	case jobrun.Terminated:
		if t.began.IsZero() && p.logs[name] == nil {
			p.openLog(name, c) // a workspace's task, whose output comes with its end
		}
		t.ended = e.At
		p.finishLog(name)
		text := endText(c.Status)
		if c.Error != "" {
			text = string(c.Status.Result) + ": " + c.Error
		}
		if !t.began.IsZero() {
			text += " (" + short(t.ended.Sub(t.began)) + ")"
		}
		p.plain(name, text)
	case jobrun.Blocked:
	default:
		p.plain(name, string(c.Status.State))
	}
}

func endText(s jobrun.Status) string {
	if s.Message == "" || s.Result == jobrun.Success {
		return string(s.Result)
	}
	return string(s.Result) + ": " + s.Message
}

// plain shows a change as a line, where no tree shows it.
func (p *printer) plain(name, text string) {
	if p.tree == nil {
		p.lineFor(name, text)
	}
}

func (p *printer) lineFor(name, text string) { p.line(name + ": " + text) }

func (p *printer) line(text string) {
	if p.tree != nil {
		p.tree.clear()
	}
	fmt.Fprintln(p.out, text)
}

func (p *printer) redraw() {
	if p.tree == nil {
		return
	}
	lines := make([]*taskLine, 0, len(p.order))
	for _, name := range p.order {
		lines = append(lines, p.tasks[name])
	}
	p.tree.draw(lines, p.start)
}

// logTail follows one attempt's log.
type logTail struct {
	name string
	path string
	file *os.File
	rest []byte
}

func (p *printer) openLog(name string, c jobrun.Change) {
	if p.quiet {
		return
	}
	dir := filepath.Join(p.home, "runs", strconv.FormatInt(p.run, 10), c.Key)
	if c.Item > 0 {
		dir = filepath.Join(dir, "item-"+strconv.Itoa(c.Item-1))
	}
	p.logs[name] = &logTail{name: name, path: filepath.Join(dir, strconv.Itoa(c.Number), "output.log")}
}

func (p *printer) finishLog(name string) {
	if l := p.logs[name]; l != nil {
		p.drain(l)
		if len(l.rest) > 0 {
			p.logLine(l, string(l.rest))
		}
		l.close()
		delete(p.logs, name)
	}
}

func (l *logTail) close() {
	if l.file != nil {
		_ = l.file.Close() // only read
	}
}

// drain shows the complete lines that have come, and a bounded part of one
// that does not end.
func (p *printer) drain(l *logTail) {
	if l.file == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return // nothing was written yet
		}
		l.file = f
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := l.file.Read(buf)
		l.rest = append(l.rest, buf[:n]...)
		for {
			i := bytes.IndexByte(l.rest, '\n')
			if i < 0 {
				break
			}
			p.logLine(l, string(l.rest[:i]))
			l.rest = l.rest[i+1:]
		}
		if len(l.rest) > 64<<10 {
			p.logLine(l, string(l.rest))
			l.rest = l.rest[:0]
		}
		if err != nil || n == 0 {
			return
		}
	}
}

func (p *printer) logLine(l *logTail, text string) {
	if i := strings.LastIndexByte(strings.TrimRight(text, "\r"), '\r'); i >= 0 {
		text = text[i+1:] // a progress bar: its last state
	}
	p.line("[" + l.name + "] " + text)
}
