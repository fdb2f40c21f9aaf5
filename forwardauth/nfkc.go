package forwardauth

import (
	"sort"
	"unicode"
	"unicode/utf8"
)

// changesUnderNFKC reports whether a text may change when it is normalized to NFKC. It is the quick
// check of UAX #15, section 9, with Maybe taken for a yes.
func changesUnderNFKC(s string) bool {
	last := uint8(0)
	for _, r := range s {
		if r < utf8.RuneSelf {
			last = 0
			continue
		}
		class := combiningClass(r)
		if class != 0 && class < last || unicode.Is(nfkcChanges, r) {
			return true
		}
		last = class
	}
	return false
}

func combiningClass(r rune) uint8 {
	i := sort.Search(len(combiningClasses), func(i int) bool { return r <= combiningClasses[i].hi })
	if i == len(combiningClasses) || r < combiningClasses[i].lo {
		return 0
	}
	return combiningClasses[i].class
}

// isInvisible reports whether a character may show as nothing. Normalizing readers remove some of them.
func isInvisible(r rune) bool {
	return r >= utf8.RuneSelf &&
		unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
