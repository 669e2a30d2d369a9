package draw

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"

	"flowctl/jobspec"
)

// Sizes of the picture, in SVG units.
const (
	boxHeight = 44
	gapX      = 56
	gapY      = 16
	margin    = 12
	charWidth = 7.4
	minWidth  = 90
	maxWidth  = 320
)

// Box is a task's place in the picture.
type Box struct {
	Key, Note  string
	X, Y, W, H int
}

// Layout places the tasks: a column for each level, and within a column as
// near as may be to what they wait for.
func Layout(job *jobspec.Job) (boxes []Box, width, height int) {
	level := levels(job)
	var columns [][]string
	for _, key := range job.Graph.Order() {
		for len(columns) <= level[key] {
			columns = append(columns, nil)
		}
		columns[level[key]] = append(columns[level[key]], key)
	}
	row := map[string]float64{}
	x := margin
	for _, keys := range columns {
		slices.SortStableFunc(keys, func(a, b string) int {
			if d := centre(job, a, row) - centre(job, b, row); d < 0 {
				return -1
			} else if d > 0 {
				return 1
			}
			return 0
		})
		w := columnWidth(job, keys)
		for i, key := range keys {
			row[key] = float64(i)
			t := &job.Tasks[job.Graph.Index(key)]
			b := Box{Key: key, Note: note(t), X: x, Y: margin + i*(boxHeight+gapY), W: w, H: boxHeight}
			boxes = append(boxes, b)
			height = max(height, b.Y+b.H+margin)
		}
		x += w + gapX
	}
	return boxes, max(x-gapX+margin, 2*margin), max(height, 2*margin)
}

// levels is how many tasks stand in line before each.
func levels(job *jobspec.Job) map[string]int {
	level := map[string]int{}
	for _, key := range job.Graph.Order() {
		for _, up := range job.Graph.Upstream(key) {
			level[key] = max(level[key], level[up]+1)
		}
	}
	return level
}

// centre is the mean row of what a task waits for.
func centre(job *jobspec.Job, key string, row map[string]float64) float64 {
	ups := job.Graph.Upstream(key)
	if len(ups) == 0 {
		return 0
	}
	sum := 0.0
	for _, up := range ups {
		sum += row[up]
	}
	return sum / float64(len(ups))
}

func columnWidth(job *jobspec.Job, keys []string) int {
	w := minWidth
	for _, key := range keys {
		t := &job.Tasks[job.Graph.Index(key)]
		longest := max(utf8.RuneCountInString(key), utf8.RuneCountInString(note(t))*5/6)
		w = max(w, int(float64(longest)*charWidth)+20)
	}
	return min(w, maxWidth)
}

func svg(job *jobspec.Job) string {
	boxes, width, height := Layout(job)
	byKey := map[string]Box{}
	for _, b := range boxes {
		byKey[b.Key] = b
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	b.WriteString(`<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>` + "\n")
	for _, e := range edges(job) {
		from, to := byKey[e.from], byKey[e.to]
		x1, y1, x2, y2 := from.X+from.W, from.Y+from.H/2, to.X, to.Y+to.H/2
		mid := (x1 + x2) / 2
		fmt.Fprintf(&b, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="#777" marker-end="url(#a)"/>`+"\n", x1, y1, mid, y1, mid, y2, x2, y2)
		if e.label != "" {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555" text-anchor="end" font-size="10">%s</text>`+"\n", x2-10, y2-5, e.label)
		}
	}
	for _, box := range boxes {
		fmt.Fprintf(&b, `<g><rect x="%d" y="%d" width="%d" height="%d" rx="6" fill="#f6f8fa" stroke="#555"/>`, box.X, box.Y, box.W, box.H)
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold">%s</text>`, box.X+10, box.Y+18, html.EscapeString(clip(box.Key, box.W)))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555" font-size="10">%s</text></g>`+"\n", box.X+10, box.Y+34, html.EscapeString(clip(box.Note, box.W*6/5)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func clip(s string, width int) string {
	most := int(float64(width-20) / charWidth)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:max(most-1, 0)]) + "…"
}
