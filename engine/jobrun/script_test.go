package jobrun_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flowctl/engine/jobrun"
	"flowctl/jobspec"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output; read the difference before you commit it")

// TestScripts plays testdata/*.txt. A block is an act, then ---- and what came
// of it: commands ("> start a#0") and states that changed. Acts:
//
//	job                      the lines below are tasks (see jobLine), up to ----
//	run [queue|skip] [k=v]   Requested
//	admit | tick 5s | cancel [task] | resume | timeout 5s
//	started a                AttemptStarted
//	done a | fail a [msg] | canceled a   AttemptFinished
//	set a key json           ValueSet
//	child a RESULT [msg]     ChildFinished
//	repair all | repair a,b [k=v]
//	show                     every task and its attempts
//
// a is a task key, or key/index for an iteration. Each script is played
// twice: the second time the run is written to JSON and loaded again after
// every act, so that whatever is not in the record shows. At the end the
// journal is replayed and must give the same run.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, string(raw), false)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(raw), got)
			require.Equal(t, got, play(t, string(raw), true), "after reloading the run between acts")
		})
	}
}

// world is a run under test with a clock and a journal.
type world struct {
	t      *testing.T
	now    time.Time
	nextID int64
	spec   json.RawMessage
	job    *jobspec.Job
	run    *jobrun.Run
	events []jobrun.Entry
	reload bool
}

func play(t *testing.T, script string, reload bool) string {
	w := &world{t: t, now: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), nextID: 1, reload: reload}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(script, "\n"), "\n\n") {
		act, _, _ := strings.Cut(block+"\n", "----\n")
		out.WriteString(act + "----\n")
		var lines []string
		for _, line := range strings.Split(strings.TrimRight(act, "\n"), "\n") {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		if len(lines) > 0 {
			out.WriteString(w.act(lines))
		}
		out.WriteString("\n")
	}
	if w.run != nil {
		w.replay()
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func (w *world) id() int64 { w.nextID++; return w.nextID - 1 }

func (w *world) act(lines []string) string {
	word, rest, _ := strings.Cut(lines[0], " ")
	args := strings.Fields(rest)
	switch word {
	case "job":
		w.spec = jobJSON(w.t, lines[1:])
		var err error
		w.job, err = jobspec.Parse(w.spec)
		require.NoError(w.t, err)
		w.run = nil
		return ""
	case "show":
		return w.show()
	case "run":
		return w.request(args)
	case "tick":
		d, err := time.ParseDuration(args[0])
		require.NoError(w.t, err)
		w.now = w.now.Add(d)
	}
	return w.apply(w.event(word, args, rest))
}

func (w *world) request(args []string) string {
	w.run = jobrun.New(w.id(), w.job, w.id)
	w.run.JobID, w.run.NumberInJob, w.run.Name = 77, 1, "j"
	w.run.Trigger.Type = jobrun.OneTime
	w.run.Overridden = map[string]string{}
	w.events = nil
	ev := jobrun.Requested{At: w.now, Verdict: jobrun.Admit}
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok && k == "only" {
			only, err := jobspec.Select(w.job.Graph, strings.Split(v, ","))
			require.NoError(w.t, err)
			w.run.Only = only
		} else if ok {
			w.run.Overridden[k] = v
		} else {
			ev.Verdict, ev.Reason = jobrun.Verdict(a), "over the limit"
		}
	}
	return w.apply(ev)
}

func (w *world) event(word string, args []string, rest string) jobrun.Event {
	after := func(n int) string {
		parts := strings.SplitN(rest, " ", n+1)
		if len(parts) <= n {
			return ""
		}
		return parts[n]
	}
	switch word {
	case "admit":
		return jobrun.Admitted{At: w.now}
	case "tick":
		return jobrun.Tick{At: w.now}
	case "resume":
		return jobrun.Resumed{At: w.now}
	case "timeout":
		d, err := time.ParseDuration(args[0])
		require.NoError(w.t, err)
		return jobrun.TimeoutChanged{At: w.now, Timeout: d}
	case "cancel":
		return jobrun.CancelRequested{At: w.now, Task: rest}
	case "started":
		return jobrun.AttemptStarted{At: w.now, RunID: w.attempt(args[0])}
	case "done":
		return jobrun.AttemptFinished{At: w.now, RunID: w.attempt(args[0]), Result: jobrun.Success}
	case "fail":
		return jobrun.AttemptFinished{At: w.now, RunID: w.attempt(args[0]), Result: jobrun.Failed, Error: after(1)}
	case "lost":
		return jobrun.AttemptFinished{At: w.now, RunID: w.attempt(args[0]), Result: jobrun.Failed, Code: jobrun.CodeInternalError, Error: "vanished"}
	case "canceled":
		return jobrun.AttemptFinished{At: w.now, RunID: w.attempt(args[0]), Result: jobrun.Canceled}
	case "set":
		return jobrun.ValueSet{At: w.now, RunID: w.attempt(args[0]), Key: args[1], Value: json.RawMessage(after(2))}
	case "child":
		return jobrun.ChildFinished{At: w.now, RunID: w.attempt(args[0]), Child: 500, Status: jobrun.Status{State: jobrun.Terminated, Result: jobrun.Result(args[1]), Message: after(2)}}
	case "repair":
		ev := jobrun.RepairRequested{At: w.now, ID: w.id(), AllFailed: args[0] == "all"}
		if !ev.AllFailed {
			ev.Tasks = strings.Split(args[0], ",")
		}
		for _, a := range args[1:] {
			k, v, _ := strings.Cut(a, "=")
			ev.Parameters = map[string]string{k: v}
		}
		return ev
	}
	w.t.Fatalf("unknown act %q", word)
	return nil
}

// attempt is the run id of a task's latest attempt; a number after # chooses another.
func (w *world) attempt(name string) int64 {
	name, nth, hasNth := strings.Cut(name, "#")
	key, item, isItem := strings.Cut(name, "/")
	tr := w.run.Task(key)
	require.NotNil(w.t, tr, name)
	if isItem {
		i, err := strconv.Atoi(item)
		require.NoError(w.t, err)
		tr = tr.Items[i]
	}
	if hasNth {
		n, err := strconv.Atoi(nth)
		require.NoError(w.t, err)
		return tr.Attempts[n].RunID
	}
	return tr.Last().RunID
}

func (w *world) apply(ev jobrun.Event) string {
	if w.reload && w.run.Status.State != "" {
		w.run = clone(w.t, w.run, w.id)
	}
	first := w.nextID
	cmds, err := w.run.Apply(ev)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	header, changed := w.run.Dirty()
	entry, err := jobrun.NewEntry(w.run, ev, first, header, changed)
	require.NoError(w.t, err)
	entry.Seq = uint64(len(w.events) + 1)
	w.events = append(w.events, entry)
	var b strings.Builder
	for _, c := range cmds {
		if s := w.command(c); s != "" {
			b.WriteString("> " + s + "\n")
		}
	}
	for _, c := range entry.Changes {
		b.WriteString(name(c.Key, c.Item-1) + suffix(c.Number) + ": " + status(c.Status) + "\n")
	}
	if entry.Run != nil {
		b.WriteString("run: " + status(*entry.Run) + "\n")
	}
	if at := w.run.NextWake(); !at.IsZero() && !w.run.Status.Ended() {
		b.WriteString("wake in " + at.Sub(w.now).String() + "\n")
	}
	return b.String()
}

func name(key string, item int) string {
	if item >= 0 {
		return fmt.Sprintf("%s/%d", key, item)
	}
	return key
}

func suffix(n int) string {
	if n > 0 {
		return "#" + strconv.Itoa(n)
	}
	return ""
}

func status(s jobrun.Status) string {
	out := strings.TrimSpace(string(s.State) + " " + string(s.Result))
	if s.Code != "" && string(s.Code) != string(s.Result) {
		out += " (" + string(s.Code) + ")"
	}
	if s.Message != "" {
		out += ": " + s.Message
	}
	return out
}

func (w *world) command(c jobrun.Command) string {
	switch c := c.(type) {
	case jobrun.StartAttempt:
		s := "start " + name(c.TaskKey, c.Item) + suffix(c.Number)
		if c.Resumed {
			s += " again"
		}
		if p := string(c.Task.Payload); p != "{}" {
			s += " " + p
		}
		return s
	case jobrun.StopAttempt:
		return "stop " + w.keyOf(c.RunID) + " by " + string(c.Cause)
	case jobrun.StartRun:
		return fmt.Sprintf("start job %d for %s with %v", c.RunJob.JobID, w.keyOf(c.RunID), c.RunJob.JobParameters)
	case jobrun.StopRun:
		return "stop child"
	case jobrun.Publish:
		raw, err := json.Marshal(w.run.Task(c.TaskKey).Values)
		require.NoError(w.t, err)
		return "publish " + c.TaskKey + " " + string(raw)
	case jobrun.Notify:
		who := strings.Join(append(slices.Clone(c.Email), c.Webhook...), " ")
		s := strings.TrimRight("tell "+who+" "+string(c.Event)+" "+c.TaskKey+suffix(c.Number), " ")
		if c.Event == jobrun.OnFailure {
			s += " " + status(c.Status)
		}
		return s
	}
	return ""
}

func (w *world) keyOf(runID int64) string {
	for _, t := range w.run.Tasks {
		for _, a := range t.Attempts {
			if a.RunID == runID {
				return t.Key
			}
		}
		for i, it := range t.Items {
			for _, a := range it.Attempts {
				if a.RunID == runID {
					return name(t.Key, i)
				}
			}
		}
	}
	return "?"
}

func (w *world) show() string {
	var b strings.Builder
	line := func(t *jobrun.TaskRun, label string) {
		for _, a := range t.Attempts {
			fmt.Fprintf(&b, "%s#%d repair %d: %s\n", label, a.Number, a.Repair, status(a.Status))
		}
	}
	for _, t := range w.run.Tasks {
		line(t, t.Key)
		if t.ForEach != nil {
			fmt.Fprintf(&b, "  %+v\n", t.ForEach.Counts())
		}
		for i, it := range t.Items {
			line(it, "  "+name(t.Key, i))
		}
	}
	return b.String()
}

// record is everything that the store keeps of a run.
func record(t *testing.T, r *jobrun.Run) []byte {
	type task struct {
		*jobrun.TaskRun
		Items []*jobrun.TaskRun
	}
	var tasks []task
	for _, tr := range r.Tasks {
		tasks = append(tasks, task{tr, tr.Items})
	}
	raw, err := json.MarshalIndent(struct {
		Run   *jobrun.Run
		Tasks []task
	}{r, tasks}, "", " ")
	require.NoError(t, err)
	return raw
}

// clone writes a run out and loads it again.
func clone(t *testing.T, r *jobrun.Run, newID func() int64) *jobrun.Run {
	type task struct {
		jobrun.TaskRun
		Items []*jobrun.TaskRun
	}
	var rec struct {
		Run   *jobrun.Run
		Tasks []task
	}
	require.NoError(t, json.Unmarshal(record(t, r), &rec))
	rec.Run.Job = r.Job
	for i := range rec.Tasks {
		tr := rec.Tasks[i].TaskRun
		tr.Items = rec.Tasks[i].Items
		rec.Run.Tasks = append(rec.Run.Tasks, &tr)
	}
	require.NoError(t, rec.Run.Load(newID))
	return rec.Run
}

// replay applies the journal to a fresh run: it must end up as the run did.
func (w *world) replay() {
	if len(w.events) == 0 {
		return
	}
	fresh := jobrun.New(w.run.ID, w.job, nil)
	fresh.JobID, fresh.NumberInJob, fresh.Name = w.run.JobID, w.run.NumberInJob, w.run.Name
	fresh.Trigger, fresh.Overridden, fresh.Only = w.run.Trigger, w.run.Overridden, w.run.Only
	for _, e := range w.events {
		next := e.FirstID
		fresh.NewID = func() int64 { next++; return next - 1 }
		ev, err := e.Decode()
		require.NoError(w.t, err)
		_, err = fresh.Apply(ev)
		require.NoError(w.t, err)
	}
	require.Equal(w.t, string(record(w.t, w.run)), string(record(w.t, fresh)), "the journal replayed")
}
