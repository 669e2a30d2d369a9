package jobspec

import (
	"fmt"
	"slices"
	"strings"

	"flowctl/jobspec/ref"
)

// Graph is the task graph of a job: who waits for whom. It is built by Parse
// and never changes. Keys come in the order in which the tasks are written.
//
// A dependency on a task that is not there, or on the task itself, is no edge,
// and of tasks with one key the first counts: Check reports them all.
type Graph struct {
	keys  []string
	index map[string]int
	up    [][]int // by task, its direct upstream tasks
	down  [][]int
	order []int // topological, written order among equals; shorter than keys if there is a cycle
	cycle []string
}

func newGraph(tasks []Task) *Graph {
	g := &Graph{
		keys:  make([]string, len(tasks)),
		index: make(map[string]int, len(tasks)),
		up:    make([][]int, len(tasks)),
		down:  make([][]int, len(tasks)),
	}
	for i := range tasks {
		g.keys[i] = tasks[i].Key
		if _, ok := g.index[tasks[i].Key]; !ok {
			g.index[tasks[i].Key] = i
		}
	}
	for i := range tasks {
		for _, d := range tasks[i].DependsOn {
			j, ok := g.index[d.TaskKey]
			if ok && j != i && !slices.Contains(g.up[i], j) {
				g.up[i] = append(g.up[i], j)
				g.down[j] = append(g.down[j], i)
			}
		}
	}
	g.sort()
	return g
}

// sort finds the topological order, and a cycle if there is no such order.
func (g *Graph) sort() {
	waiting := make([]int, len(g.keys))
	var ready []int
	for i := range g.keys {
		if waiting[i] = len(g.up[i]); waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		g.order = append(g.order, i)
		for _, j := range g.down[i] {
			if waiting[j]--; waiting[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	if len(g.order) == len(g.keys) {
		return
	}
	// Every task left waits for another one that is left: walking upstream
	// among them must come back to where it has been.
	at := slices.IndexFunc(waiting, func(n int) bool { return n > 0 })
	seen := map[int]int{}
	var path []int
	for {
		if from, ok := seen[at]; ok {
			path = path[from:]
			break
		}
		seen[at] = len(path)
		path = append(path, at)
		at = g.up[at][slices.IndexFunc(g.up[at], func(j int) bool { return waiting[j] > 0 })]
	}
	for _, i := range path {
		g.cycle = append(g.cycle, g.keys[i])
	}
}

// Cycle is a circle of tasks, each of which waits for the next and the last
// for the first; nil if there is none.
func (g *Graph) Cycle() []string { return g.cycle }

// Index is a task's place among the job's tasks, -1 if there is no such task.
func (g *Graph) Index(key string) int {
	if i, ok := g.index[key]; ok {
		return i
	}
	return -1
}

// Keys lists all tasks in written order.
func (g *Graph) Keys() []string { return slices.Clone(g.keys) }

// Order lists the tasks so that each comes after all it waits for. Tasks in a
// cycle, and below one, are missing.
func (g *Graph) Order() []string { return g.names(g.order) }

// Upstream lists the tasks that key waits for directly.
func (g *Graph) Upstream(key string) []string { return g.near(key, g.up) }

// Downstream lists the tasks that wait for key directly.
func (g *Graph) Downstream(key string) []string { return g.near(key, g.down) }

func (g *Graph) near(key string, edges [][]int) []string {
	i, ok := g.index[key]
	if !ok {
		return nil
	}
	return g.names(edges[i])
}

// Ancestors lists the tasks that key waits for, directly or not, in written order.
func (g *Graph) Ancestors(key string) []string { return g.reach(key, g.up) }

// Descendants lists the tasks that wait for key, directly or not, in written order.
func (g *Graph) Descendants(key string) []string { return g.reach(key, g.down) }

func (g *Graph) reach(key string, edges [][]int) []string {
	start, ok := g.index[key]
	if !ok {
		return nil
	}
	seen := make([]bool, len(g.keys))
	stack := []int{start}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, j := range edges[i] {
			if !seen[j] {
				seen[j] = true
				stack = append(stack, j)
			}
		}
	}
	var list []string
	for i, s := range seen {
		if s && i != start {
			list = append(list, g.keys[i])
		}
	}
	return list
}

// Leaves lists the tasks that nothing waits for.
func (g *Graph) Leaves() []string {
	var list []string
	for i, d := range g.down {
		if len(d) == 0 {
			list = append(list, g.keys[i])
		}
	}
	return list
}

func (g *Graph) names(is []int) []string {
	list := make([]string, len(is))
	for n, i := range is {
		list[n] = g.keys[i]
	}
	return list
}

// Select resolves the task selection of run-now's "only": a key, with a + in
// front for all that it waits for and a + behind for all that waits for it.
// The answer is in written order.
//
// Source: the SDK's documentation of RunNow.Only.
func Select(g *Graph, only []string) ([]string, error) {
	chosen := make(map[string]bool, len(only))
	for _, pattern := range only {
		key, below := strings.CutSuffix(pattern, "+")
		key, above := strings.CutPrefix(key, "+")
		if g.Index(key) < 0 {
			return nil, fmt.Errorf("no task %q to run%s", key, didYouMean(key, g.keys))
		}
		chosen[key] = true
		if above {
			for _, k := range g.Ancestors(key) {
				chosen[k] = true
			}
		}
		if below {
			for _, k := range g.Descendants(key) {
				chosen[k] = true
			}
		}
	}
	var list []string
	for _, k := range g.keys {
		if chosen[k] {
			list = append(list, k)
		}
	}
	return list, nil
}

// didYouMean is the end of a message about a wrong word.
func didYouMean(word string, known []string) string {
	if near := ref.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
