package jobrun

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// decimal is a number as written, exactly: its value is
// sign * 0.digits * 10^exp, with no zero at either end of digits. Zero has no
// digits. A float64 would take 2^53+1 for 2^53; a big number would let
// "1e999999999" eat the memory.
type decimal struct {
	neg    bool
	digits string
	exp    int64
}

// parseDecimal reads a decimal number: sign, digits, fraction, exponent,
// spaces around.
func parseDecimal(text string) (decimal, error) {
	bad := fmt.Errorf("%q is not a number", shorten(text))
	s := strings.TrimSpace(text)
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.neg = s[0] == '-'
		s = s[1:]
	}
	var exp int64
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.ParseInt(s[i+1:], 10, 32)
		if err != nil {
			return decimal{}, bad
		}
		s, exp = s[:i], n
	}
	whole, frac, _ := strings.Cut(s, ".")
	if whole+frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return decimal{}, bad
	}
	all := whole + frac
	d.exp = exp + int64(len(whole))
	lead := len(all) - len(strings.TrimLeft(all, "0"))
	d.exp -= int64(lead)
	d.digits = strings.TrimRight(all[lead:], "0")
	if d.digits == "" {
		return decimal{}, nil
	}
	return d, nil
}

// cmp is -1, 0 or 1 as d is less than, equal to or greater than o.
func (d decimal) cmp(o decimal) int {
	if s := cmp.Compare(d.sign(), o.sign()); s != 0 || d.digits == "" {
		return s
	}
	mag := cmp.Compare(d.exp, o.exp)
	if mag == 0 {
		mag = strings.Compare(d.digits, o.digits)
	}
	return mag * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.neg:
		return -1
	}
	return 1
}
