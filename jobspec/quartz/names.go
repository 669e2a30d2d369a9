package quartz

import (
	"strings"
	"time"
)

// fullName is the whole name of a month or a weekday, upper case.
func fullName(i, n int) string {
	if i == fieldMonth {
		return strings.ToUpper(time.Month(n + 1).String())
	}
	return strings.ToUpper(time.Weekday(n).String())
}
