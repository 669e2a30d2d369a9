package quartz

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine
)

// aliases are the short zone ids that Java knows and the zone database does not.
//
// Source: java.util.TimeZone's table of short ids.
var aliases = map[string]string{
	"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
	"AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare",
	"CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
	"ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
	"MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi", "PNT": "America/Phoenix",
	"PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal", "VST": "Asia/Ho_Chi_Minh",
}

// fixed are ids that are whole offsets in Java and something else in newer
// zone databases.
var fixed = map[string]int{"EST": -5, "MST": -7, "HST": -10}

// LoadZone finds a Java time zone id: a name of the zone database, one of
// Java's short ids, or GMT+h:mm. Names are case-sensitive, as in Java.
func LoadZone(id string) (*time.Location, error) {
	if id == "" {
		return nil, fmt.Errorf("the time zone is empty; write for example \"UTC\" or \"Europe/Berlin\"")
	}
	if h, ok := fixed[id]; ok {
		return time.FixedZone(id, h*3600), nil
	}
	if name, ok := aliases[id]; ok {
		return time.LoadLocation(name)
	}
	if rest, ok := strings.CutPrefix(id, "GMT"); ok && rest != "" && (rest[0] == '+' || rest[0] == '-') {
		return gmtOffset(id, rest)
	}
	if id == "Local" {
		return nil, fmt.Errorf("%q is no time zone of Java's; write a name such as \"Europe/Berlin\"", id)
	}
	loc, err := time.LoadLocation(id)
	if err != nil || loc.String() != id || !known(id) {
		return nil, fmt.Errorf("unknown time zone %q; write a name such as \"UTC\", \"America/New_York\" or \"GMT+2\"%s", id, zoneHint(id))
	}
	return loc, nil
}

// known guards against a file system that takes america/new_york for
// America/New_York: a zone's name begins with a capital.
func known(id string) bool {
	for _, part := range strings.Split(id, "/") {
		if part == "" || part[0] >= 'a' && part[0] <= 'z' {
			return false
		}
	}
	return true
}

func zoneHint(id string) string {
	if strings.HasPrefix(id, "UTC") {
		return "; for an offset write GMT" + id[3:]
	}
	return ""
}

// gmtOffset reads GMT+h, GMT+hh, GMT+hmm, GMT+hh:mm.
func gmtOffset(id, rest string) (*time.Location, error) {
	bad := fmt.Errorf("unknown time zone %q; an offset is written GMT+8 or GMT-05:30", id)
	hours, minutes, colon := strings.Cut(rest[1:], ":")
	if !colon && len(hours) > 2 {
		hours, minutes = hours[:len(hours)-2], hours[len(hours)-2:]
		colon = true
	}
	h, err := strconv.Atoi(hours)
	if err != nil || h > 23 || len(hours) > 2 || hours[0] == '+' || hours[0] == '-' {
		return nil, bad
	}
	m := 0
	if colon {
		if m, err = strconv.Atoi(minutes); err != nil || len(minutes) != 2 || m > 59 || minutes[0] == '+' || minutes[0] == '-' {
			return nil, bad
		}
	}
	off := h*3600 + m*60
	if rest[0] == '-' {
		off = -off
	}
	return time.FixedZone(id, off), nil
}
