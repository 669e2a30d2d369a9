package ref

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeFields are the forms in which a reference can ask for a time.
//
// Source: the Databricks page on dynamic value references.
var timeFields = []string{
	"iso_weekday", "is_weekday", "iso_date", "iso_datetime", "year", "month", "day", "hour", "minute", "second", "timestamp_ms",
}

func checkField(field string) error {
	if slices.Contains(timeFields, field) {
		return nil
	}
	if near := Nearest(field, timeFields); near != "" {
		return fmt.Errorf("no time field %q; did you mean %q?", field, near)
	}
	return fmt.Errorf("no time field %q; there are %s", field, strings.Join(timeFields, ", "))
}

// FormatTime is one form of a time, in UTC. False: there is no such form.
func FormatTime(t time.Time, field string) (string, bool) {
	t = t.UTC()
	weekday := (int(t.Weekday())+6)%7 + 1 // Monday is 1
	switch field {
	case "iso_weekday":
		return strconv.Itoa(weekday), true
	case "is_weekday":
		return strconv.FormatBool(weekday <= 5), true
	case "iso_date":
		return t.Format("2006-01-02"), true
	case "iso_datetime":
		return t.Format("2006-01-02T15:04:05"), true
	case "year":
		return strconv.Itoa(t.Year()), true
	case "month":
		return strconv.Itoa(int(t.Month())), true
	case "day":
		return strconv.Itoa(t.Day()), true
	case "hour":
		return strconv.Itoa(t.Hour()), true
	case "minute":
		return strconv.Itoa(t.Minute()), true
	case "second":
		return strconv.Itoa(t.Second()), true
	case "timestamp_ms":
		return strconv.FormatInt(t.UnixMilli(), 10), true
	}
	return "", false
}
