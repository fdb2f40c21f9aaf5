package usertoken

import (
	"strings"
	"time"
)

// A date is a NumericDate (RFC 7519, section 2) in whole seconds. The zero date is missing.
type date struct {
	seconds int64
	present bool
}

func (d date) time() time.Time { return time.Unix(d.seconds, 0) }

// lastSecond is the last second of the year 9999.
const lastSecond = 253402300799

// parseDate reads a JSON number as a date (SPEC 7.6). It reads exactly, and rounds a fraction up or
// down. It is not ok if the result is not from 1970 to the end of the year 9999.
//
// It takes time in proportion to the text, and not to the exponent, and does not allocate.
func parseDate(number string, up bool) (d date, ok bool) {
	magnitude, negative := strings.CutPrefix(number, "-")
	mantissa, power := magnitude, int64(0)
	if i := strings.IndexAny(magnitude, "eE"); i >= 0 {
		mantissa, power = magnitude[:i], exponent(magnitude[i+1:])
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	before := int64(len(integer)) + power // the number of digits before the point

	seconds, rest := int64(0), false
	i := int64(0)
	for _, part := range [...]string{integer, fraction} {
		for _, c := range []byte(part) {
			switch {
			case i >= before:
				rest = rest || c != '0'
			case seconds > lastSecond:
				return date{}, false
			default:
				seconds = seconds*10 + int64(c-'0')
			}
			i++
		}
	}
	for ; i < before && 0 < seconds && seconds <= lastSecond; i++ {
		seconds *= 10
	}
	if rest && up != negative { // away from 0
		seconds++
	}
	if negative {
		seconds = -seconds
	}
	return date{seconds, true}, 0 <= seconds && seconds <= lastSecond
}

// exponent reads the exponent of a JSON number. It stops at 2^50, which is more digits than any text has.
func exponent(s string) (n int64) {
	const large = 1 << 50
	digits := strings.TrimLeft(s, "+-")
	for _, c := range []byte(digits) {
		n = min(n*10+int64(c-'0'), large)
	}
	if s[0] == '-' {
		return -n
	}
	return n
}
