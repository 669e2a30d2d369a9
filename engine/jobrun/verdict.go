package jobrun

import "flowctl/jobspec"

// vote is what an upstream task says to one that waits for it. The letters
// are those of the rules: succeeded, failed, canceled, excluded, disabled.
type vote int

const (
	voteSuccess vote = iota
	voteFailed
	voteCanceled
	voteExcluded // the upstream task itself was excluded
	voteNotTaken // the upstream condition came out the other way
	voteDisabled
	votes // how many kinds there are
)

// tally counts an upstream's votes and remembers who gave the first of each.
type tally struct {
	n     [votes]int
	first [votes]string
	total int
}

func (c *tally) add(v vote, key string) {
	if c.n[v] == 0 {
		c.first[v] = key
	}
	c.n[v]++
	c.total++
}

func (c *tally) has(v vote) bool { return c.n[v] > 0 }

// verdict decides a task whose upstream tasks have all ended: "" to run it,
// else the result that it ends with and the upstream task to blame.
func (r *Run) verdict(t *TaskRun) (Result, string) {
	def := r.def(t)
	var c tally
	for _, d := range def.DependsOn {
		if up := r.byKey[d.TaskKey]; up != nil {
			c.add(voteOf(up, d.Outcome), d.TaskKey)
		}
	}
	return judge(def.RunIf, c)
}

func voteOf(up *TaskRun, outcome string) vote {
	st := up.Status()
	switch {
	case st.Result == Excluded:
		return voteExcluded
	case st.Result == Disabled:
		return voteDisabled
	case st.canceled():
		return voteCanceled
	case st.failed():
		return voteFailed
	case outcome != "" && up.Outcome != outcome:
		return voteNotTaken
	}
	return voteSuccess
}

// judge is the table of run_if over every mix of upstream ends. With Excluded
// it names the condition that came out the other way, if that is why.
//
// Source: the Databricks pages on run_if and on disabled tasks. Three cells
// are our choice where the pages are silent: ALL_DONE over nothing but
// excluded tasks is excluded; a canceled upstream without a failed one gives
// UPSTREAM_CANCELED under ALL_SUCCESS and AT_LEAST_ONE_SUCCESS; a branch not
// taken excludes an ALL_SUCCESS task even beside a failure.
func judge(runIf jobspec.RunIf, c tally) (Result, string) {
	if c.total == 0 {
		return "", ""
	}
	out := c.n[voteExcluded] + c.n[voteNotTaken]
	if out == c.total {
		return Excluded, c.first[voteNotTaken]
	}
	if res, ok := disabledVerdict(runIf, c); ok {
		return res, ""
	}
	switch runIf {
	case jobspec.AllDone:
		return "", ""
	case jobspec.AtLeastOneFailed:
		if c.has(voteFailed) {
			return "", ""
		}
		return Excluded, ""
	case jobspec.AllFailed:
		if c.n[voteFailed] == c.total {
			return "", ""
		}
		return Excluded, ""
	case jobspec.AtLeastOneSuccess:
		if c.has(voteSuccess) {
			return "", ""
		}
		return blame(c)
	case jobspec.NoneFailed:
		if c.has(voteFailed) {
			return UpstreamFailed, c.first[voteFailed]
		}
		if c.has(voteCanceled) {
			return UpstreamFailed, c.first[voteCanceled]
		}
		return "", ""
	}
	if c.has(voteNotTaken) {
		return Excluded, c.first[voteNotTaken]
	}
	if c.has(voteFailed) || c.has(voteCanceled) {
		return blame(c)
	}
	return "", ""
}

// blame ends a task for its upstream: a failure weighs more than a cancel.
func blame(c tally) (Result, string) {
	if c.has(voteFailed) {
		return UpstreamFailed, c.first[voteFailed]
	}
	return UpstreamCanceled, c.first[voteCanceled]
}

// disabledVerdict settles a task whose run_if cannot be met because upstream
// tasks are disabled: it is disabled itself for this run. It looks at the
// disabled votes alone, and at all votes only to see whether any other could
// still meet the condition.
func disabledVerdict(runIf jobspec.RunIf, c tally) (Result, bool) {
	if !c.has(voteDisabled) {
		return "", false
	}
	others := c.total - c.n[voteDisabled]
	switch runIf {
	case jobspec.AllDone:
		return "", false
	case jobspec.AllSuccess, jobspec.AllFailed:
		return Disabled, true
	case jobspec.AtLeastOneSuccess:
		// Nobody failed or was canceled, so only the disabled ones are missing.
		if !c.has(voteSuccess) && !c.has(voteFailed) && !c.has(voteCanceled) {
			return Disabled, true
		}
	}
	return Disabled, others == 0
}
