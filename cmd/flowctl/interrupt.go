package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// onInterrupt says what Ctrl-C does to a run that would go on without us.
type onInterrupt string

const (
	cancelIt onInterrupt = "cancel" // and wait until it has ended
	detachIt onInterrupt = "detach" // and end, while the run goes on
	askAbout onInterrupt = "ask"
	leaveIt  onInterrupt = "leave" // an older word for detach
)

// interruptFlag reads --on-interrupt. Without one a terminal is asked; in a
// pipe, where nobody answers, Ctrl-C cancels.
func (e *env) interruptFlag(word string) (onInterrupt, error) {
	switch o := onInterrupt(word); o {
	case "":
		if isTerminal(e.stdin) && isTerminal(e.stderr) {
			return askAbout, nil
		}
		return cancelIt, nil
	case leaveIt:
		return detachIt, nil
	case cancelIt, detachIt, askAbout:
		return o, nil
	}
	return "", usage("--on-interrupt %s: ask, cancel and detach are known", word)
}

// isTerminal says whether a stream of ours is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// interrupted decides what becomes of a run after Ctrl-C. Another Ctrl-C, or
// the end of the input, is no answer: the run is left alone then. SIGTERM
// comes from a program, which is not asked.
func (f *following) interrupted(ctx context.Context, p *printer, run int64) onInterrupt {
	switch cause := context.Cause(ctx); {
	case f.onInterrupt != askAbout:
		return f.onInterrupt
	case cause != nil && strings.HasPrefix(cause.Error(), syscall.SIGTERM.String()):
		return cancelIt
	}
	again, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p.say(fmt.Sprintf("Run %d is on the workspace. Cancel it there [c], or leave it running [l]?", run))
	answers := make(chan onInterrupt, 1)
	go func() { answers <- f.readAnswer(p) }()
	select {
	case a := <-answers:
		return a
	case <-again.Done():
		return detachIt
	}
}

// readAnswer reads lines until one is an answer.
func (f *following) readAnswer(p *printer) onInterrupt {
	lines := bufio.NewScanner(f.stdin)
	for lines.Scan() {
		switch word := strings.ToLower(strings.TrimSpace(lines.Text())); {
		case slices.Contains([]string{"c", "cancel", "y", "yes"}, word):
			return cancelIt
		case slices.Contains([]string{"l", "leave", "d", "detach", "n", "no"}, word):
			return detachIt
		}
		p.say("Type c to cancel the run on the workspace, or l to leave it running.")
	}
	return detachIt
}
