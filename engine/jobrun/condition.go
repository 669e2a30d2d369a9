package jobrun

import (
	"fmt"

	"flowctl/jobspec"
)

// decideCondition carries out a condition task: no compute, no retries.
func (r *Run) decideCondition(t *TaskRun, def *jobspec.Task) {
	a := t.Last()
	a.Started = r.now
	outcome, err := r.compare(t, def.Condition)
	if err != nil {
		a.Error = err.Error()
		r.finishFinal(t, terminated(Failed, CodeInvalidConfig, err.Error()))
		return
	}
	t.Outcome = "false"
	if outcome {
		t.Outcome = "true"
	}
	r.finishFinal(t, terminated(Success, CodeSuccess, ""))
}

func (r *Run) compare(t *TaskRun, c *jobspec.Condition) (bool, error) {
	left, err := r.expandText(t, c.Left)
	if err != nil {
		return false, fmt.Errorf("condition_task.left: %w", err)
	}
	right, err := r.expandText(t, c.Right)
	if err != nil {
		return false, fmt.Errorf("condition_task.right: %w", err)
	}
	t.Last().Operands = &Operands{left, right}
	return compare(c.Op, left, right)
}

// compare applies a condition's operator. EQUAL_TO and NOT_EQUAL compare
// text ("12.0" is not "12"), the others decimal numbers.
//
// Source: the SDK's documentation of ConditionTask.Op.
func compare(op, left, right string) (bool, error) {
	switch op {
	case "EQUAL_TO":
		return left == right, nil
	case "NOT_EQUAL":
		return left != right, nil
	}
	l, err := parseDecimal(left)
	if err != nil {
		return false, fmt.Errorf("condition_task.left: %s compares numbers: %w", op, err)
	}
	rt, err := parseDecimal(right)
	if err != nil {
		return false, fmt.Errorf("condition_task.right: %s compares numbers: %w", op, err)
	}
	sign := l.cmp(rt)
	switch op {
	case "GREATER_THAN":
		return sign > 0, nil
	case "GREATER_THAN_OR_EQUAL":
		return sign >= 0, nil
	case "LESS_THAN":
		return sign < 0, nil
	case "LESS_THAN_OR_EQUAL":
		return sign <= 0, nil
	}
	return false, fmt.Errorf("condition_task.op: unknown operator %q", op)
}
