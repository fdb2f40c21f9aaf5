package forwardauth

// lookAlikes has the characters that NFKC keeps and that careless readers still turn into a slash, a
// backslash or a dot when they convert to another character set: Windows ("best fit") or iconv with
// //TRANSLIT. A fold of confusable characters (UTS #39) does the same. It is not modified.
var lookAlikes = map[rune]rune{
	'\u00f7': '/', // division sign: iconv
	'\u2044': '/', // fraction slash: best fit, iconv
	'\u2215': '/', // division slash: best fit, iconv
	'\u2571': '/', // box drawing, diagonal: iconv, UTS #39
	'\u27cb': '/', // mathematical rising diagonal: iconv, UTS #39
	'\u29f8': '/', // big solidus: iconv, UTS #39

	'\u00a5': '\\', // yen sign: best fit of code page 932, and byte 5C in Shift_JIS
	'\u20a9': '\\', // won sign: best fit of code page 949
	'\u2216': '\\', // set minus: best fit, iconv
	'\u2572': '\\', // box drawing, diagonal: iconv
	'\u27cd': '\\', // mathematical falling diagonal: iconv, UTS #39
	'\u29f5': '\\', // reverse solidus operator: iconv, UTS #39
	'\u29f9': '\\', // big reverse solidus: iconv, UTS #39

	// Words of some languages have these, and only segments of dots are dangerous.
	'\u00b7': '.', // middle dot: iconv
	'\u0701': '.', // Syriac full stop above a letter: UTS #39
	'\u0702': '.', // Syriac full stop below a letter: UTS #39
	'\ua4f8': '.', // Lisu letter of a tone: UTS #39
	'\ua60e': '.', // Vai full stop: UTS #39
}

// asDelimiter returns the delimiter that a careless reader takes a character for, or else the character.
func asDelimiter(r rune) rune {
	if c, ok := lookAlikes[r]; ok {
		return c
	}
	return r
}
