// Package quartz reads Quartz cron expressions and tells when they fire. A
// Schedule has the method Next of a cron.Schedule of robfig/cron without
// knowing that package.
//
// It follows Quartz 2.3.2, whose documentation Databricks refers to, but is
// strict where the Java parser silently ignores what it does not understand.
// Start reading at Parse and Schedule.Next.
package quartz

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedule is an expression in a time zone. It never changes.
type Schedule struct {
	expr string
	zone *time.Location

	seconds, minutes, hours uint64 // bit n: value n
	days                    uint64 // of the month; 0: by weekday
	months                  uint64
	weekdays                uint64 // bit 1 is Sunday; 0: by day of the month
	years                   []span

	last     bool // day of month counts back from the last: L-before
	before   int
	nearest  bool // W: the weekday nearest to the day
	lastOf   int  // weekday whose last of the month it is; 0: none
	nth      int  // with nthOf: the nth such weekday of the month
	nthOf    int
	warnings []string
}

// span is a stretch of years.
type span struct{ from, to, step int }

type field struct {
	name     string
	min, max int
	names    []string
}

var fields = [...]field{
	{"seconds", 0, 59, nil},
	{"minutes", 0, 59, nil},
	{"hours", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of week", 1, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
	{"year", 0, 1 << 20, nil},
}

const (
	fieldDay     = 3
	fieldMonth   = 4
	fieldWeekday = 5
	fieldYear    = 6
)

const databricksWords = "Databricks uses Quartz cron syntax, which is different from the standard cron syntax"

// Parse reads an expression of 6 or 7 fields and a Java time zone id. The
// error says what is wrong and how to mend it.
func Parse(expr, zone string) (*Schedule, error) {
	loc, err := LoadZone(zone)
	if err != nil {
		return nil, err
	}
	s := &Schedule{expr: expr, zone: loc}
	words, err := split(expr)
	if err != nil {
		return nil, err
	}
	if len(words) == 6 {
		words = append(words, "*")
	}
	if err := oneDayField(words); err != nil {
		return nil, err
	}
	for i, w := range words {
		if err := s.field(i, w); err != nil {
			return nil, fmt.Errorf("%s %q: %w", fields[i].name, w, err)
		}
	}
	return s, nil
}

// split cuts an expression into its fields.
func split(expr string) ([]string, error) {
	if strings.ContainsAny(expr, "\n\r\f\v") {
		return nil, fmt.Errorf("an expression stands on one line")
	}
	words := strings.FieldsFunc(strings.ToUpper(expr), func(r rune) bool { return r == ' ' || r == '\t' })
	switch {
	case len(words) == 0:
		return nil, fmt.Errorf("the expression is empty; write for example \"0 0 6 * * ?\" for every day at six")
	case strings.HasPrefix(words[0], "@") || strings.Contains(words[0], "TZ="):
		return nil, fmt.Errorf("%s is no Quartz expression; write six fields, for example \"0 0 0 * * ?\" for every midnight", words[0])
	case len(words) == 5:
		return nil, fmt.Errorf("five fields, as crontab has them; %s: it begins with seconds, and one of the day fields is ?. Try %q", databricksWords, fromCrontab(words))
	case len(words) < 6:
		return nil, fmt.Errorf("%d fields; six are needed: seconds minutes hours day-of-month month day-of-week, and a year may follow", len(words))
	case len(words) > 7:
		return nil, fmt.Errorf("%d fields; there are at most seven: seconds minutes hours day-of-month month day-of-week year", len(words))
	}
	return words, nil
}

// fromCrontab turns a crontab's five fields into what they likely mean.
func fromCrontab(w []string) string {
	dom, dow := w[2], w[4]
	switch {
	case dow == "*" || dow == "?":
		dow = "?"
	case dom == "*" || dom == "?":
		dom = "?"
		if n, err := strconv.Atoi(dow); err == nil {
			dow = strconv.Itoa(n%7 + 1) // crontab's Sunday is 0, Quartz's is 1
		}
	}
	return strings.ToLower(strings.Join([]string{"0", w[0], w[1], dom, w[3], dow}, " "))
}

// oneDayField checks that exactly one of the two day fields is ?.
func oneDayField(w []string) error {
	dom, dow := w[fieldDay] == "?", w[fieldWeekday] == "?"
	if dom != dow {
		return nil
	}
	mended := slices.Clone(w[:6])
	switch {
	case dom:
		mended[fieldDay] = "*"
		return fmt.Errorf("'?' stands for both day of month and day of week; one of them must say when. Try %q", strings.ToLower(strings.Join(mended, " ")))
	case w[fieldDay] == "*" && w[fieldWeekday] != "*":
		mended[fieldDay] = "?"
	case w[fieldWeekday] == "*":
		mended[fieldWeekday] = "?"
	default:
		return fmt.Errorf("day of month %s and day of week %s are both given; support for both is not there, so put ? for one. %s", w[fieldDay], w[fieldWeekday], databricksWords)
	}
	return fmt.Errorf("day of week and day of month are both given; put ? for one of them. %s. Try %q", databricksWords, strings.Join(mended, " "))
}

// field reads one field.
func (s *Schedule) field(i int, text string) error {
	if text == "?" {
		if i == fieldDay || i == fieldWeekday {
			return nil
		}
		return fmt.Errorf("'?' has a place in the day fields only; write *")
	}
	if i == fieldDay {
		if done, err := s.dayRule(text); done || err != nil {
			return err
		}
	}
	if i == fieldWeekday {
		if done, err := s.weekdayRule(text); done || err != nil {
			return err
		}
	}
	any := false
	for _, item := range strings.Split(text, ",") {
		if item == "" {
			continue
		}
		any = true
		if err := s.item(i, item); err != nil {
			return err
		}
	}
	if !any {
		return fmt.Errorf("it says nothing")
	}
	return nil
}

// dayRule reads L, L-n, LW, L-nW and nW.
func (s *Schedule) dayRule(text string) (bool, error) {
	if !strings.ContainsAny(text, "LW") {
		return false, nil
	}
	if strings.Contains(text, ",") {
		return true, fmt.Errorf("a list cannot hold L or W")
	}
	body, w := strings.CutSuffix(text, "W")
	if rest, ok := strings.CutPrefix(body, "L"); ok {
		s.last, s.nearest = true, w
		s.days = 1 // it is by day of month
		if rest == "" {
			return true, nil
		}
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
		if err != nil || !strings.HasPrefix(rest, "-") || n < 0 || n > 30 {
			return true, fmt.Errorf("write L, LW, or L-n with n from 0 to 30")
		}
		s.before = n
		return true, nil
	}
	n, err := strconv.Atoi(body)
	if !w || err != nil || n < 1 || n > 31 {
		return true, fmt.Errorf("write W behind one day from 1 to 31, as in 15W; L for the last day, LW for the last weekday")
	}
	s.nearest, s.days = true, 1<<n
	return true, nil
}

// weekdayRule reads L, nL and n#k.
func (s *Schedule) weekdayRule(text string) (bool, error) {
	if text == "L" {
		s.weekdays = 1 << 7 // L alone is 7, every Saturday
		return true, nil
	}
	if day, k, ok := strings.Cut(text, "#"); ok {
		n, err := s.value(fieldWeekday, day)
		nth, kerr := strconv.Atoi(k)
		if err != nil || kerr != nil || nth < 1 || nth > 5 {
			return true, fmt.Errorf("write one day, # and which of the month from 1 to 5, as in FRI#2")
		}
		s.nthOf, s.nth, s.weekdays = n, nth, 1<<n
		return true, nil
	}
	if body, ok := strings.CutSuffix(text, "L"); ok {
		n, err := s.value(fieldWeekday, body)
		if err != nil {
			return true, fmt.Errorf("write L behind one day, as in FRIL or 6L, for the last one of the month")
		}
		s.lastOf, s.weekdays = n, 1<<n
		return true, nil
	}
	return false, nil
}

// item reads one element of a list: *, a, a-b, each with /step.
func (s *Schedule) item(i int, text string) error {
	f := fields[i]
	body, step, stepped := strings.Cut(text, "/")
	inc := 1
	if stepped {
		n, err := strconv.Atoi(step)
		if err != nil || n < 0 {
			return fmt.Errorf("the step %q is no number", step)
		}
		inc = min(n, f.max+1) // a larger one has the same effect, and no sum overflows
	}
	from, to := 0, 0
	var err error
	switch a, b, isRange := strings.Cut(body, "-"); {
	case body == "*" || body == "" && stepped:
		from, to = f.min, f.max
		if stepped && inc == 0 {
			inc = 1
		}
		if stepped && i != fieldYear && inc > f.max {
			return stepTooLarge(f, step)
		}
		if i == fieldYear {
			from = 1970
		}
	case body == "?":
		return fmt.Errorf("'?' cannot be part of a list")
	case isRange:
		if from, err = s.value(i, a); err != nil {
			return err
		}
		if to, err = s.value(i, b); err != nil {
			return err
		}
		if stepped && named(a+b) {
			return fmt.Errorf("names take no step; write %d-%d/%d", from, to, inc)
		}
		if stepped && inc == 0 {
			to, inc = from, 1
		}
	default:
		if from, err = s.value(i, body); err != nil {
			return err
		}
		to = from
		if stepped {
			if named(body) {
				return fmt.Errorf("names take no step; write %d/%d", from, inc)
			}
			if i != fieldYear && inc > f.max {
				return stepTooLarge(f, step)
			}
			if to = f.max; inc == 0 {
				to, inc = from, 1
			}
		}
	}
	return s.set(i, from, to, inc)
}

func stepTooLarge(f field, step string) error {
	return fmt.Errorf("a step of %s is more than %s has; at most %d", step, f.name, f.max)
}

func named(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

// value reads a number or a name of a field.
func (s *Schedule) value(i int, text string) (int, error) {
	f := fields[i]
	if n, err := strconv.Atoi(text); err == nil && text[0] != '+' && text[0] != '-' {
		if n < f.min || n > f.max {
			if i == fieldWeekday && n == 0 {
				return 0, fmt.Errorf("0 is no day: Sunday is 1 and Saturday 7")
			}
			return 0, fmt.Errorf("%d is not between %d and %d", n, f.min, f.max)
		}
		return n, nil
	}
	for n, name := range f.names {
		if text == name {
			return n + f.min, nil
		}
		if len(text) > 3 && fullName(i, n) == text {
			s.warnings = append(s.warnings, fmt.Sprintf("write %s for %s", name, text))
			return n + f.min, nil
		}
	}
	switch {
	case text == "":
		return 0, fmt.Errorf("a value is missing")
	case f.names != nil:
		return 0, fmt.Errorf("%q is neither a number from %d to %d nor one of %s", text, f.min, f.max, strings.Join(f.names, " "))
	}
	return 0, fmt.Errorf("%q is no number from %d to %d", text, f.min, f.max)
}

// set adds the values from..to by step; a range may go round the end.
func (s *Schedule) set(i, from, to, step int) error {
	if i == fieldYear {
		if to < from {
			return fmt.Errorf("years go up: %d is after %d", from, to)
		}
		s.years = append(s.years, span{from, to, step})
		return nil
	}
	f := fields[i]
	if to < from {
		to += f.max - f.min + 1
	}
	var mask uint64
	for v := from; v <= to; v += step {
		n := v
		if n > f.max {
			n -= f.max - f.min + 1
		}
		mask |= 1 << n
	}
	switch i {
	case 0:
		s.seconds |= mask
	case 1:
		s.minutes |= mask
	case 2:
		s.hours |= mask
	case fieldDay:
		s.days |= mask
	case fieldMonth:
		s.months |= mask
	default:
		s.weekdays |= mask
	}
	return nil
}

// Expression is the expression as it was written.
func (s *Schedule) Expression() string { return s.expr }

// Warnings says what is allowed but hardly meant.
func (s *Schedule) Warnings() []string {
	w := slices.Clone(s.warnings)
	if bits.OnesCount64(s.seconds) > 6 {
		w = append(w, "it fires more often than every 10 seconds; Databricks leaves at least 10 seconds between runs")
	}
	if now := time.Now(); s.Next(now).IsZero() {
		w = append(w, "it never fires again")
	}
	return w
}
