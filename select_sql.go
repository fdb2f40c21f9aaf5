package permissions

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// ErrSQL matches an error of [Selection.Where] that is not about the question: the dialect is
// unknown, a column is missing or malformed, the database does not take so many arguments, or what
// is visible in an intersection takes too long to compute. The error says what to do.
var ErrSQL = errors.New("permissions: no SQL for the selection")

var errTooManyCombinations = fmt.Errorf("%w: there are too many combinations of rules in the parts of the intersection; "+
	"ask Visible of each row, or intersect with a policy that names fewer identifiers", ErrSQL)

// A Dialect is the SQL of a database, and how a query there writes its arguments. The zero Dialect is
// not one.
type Dialect uint8

const (
	// PostgreSQL is for pgx, and for database/sql with any driver of PostgreSQL. Arguments are numbered:
	// $1. The database must have the encoding UTF8, which is the default.
	PostgreSQL Dialect = 1 + iota

	// PostgreSQLQuestionMarks is PostgreSQL with ? for each argument. It is for query builders that
	// number the placeholders themselves, such as squirrel, goqu and GORM.
	PostgreSQLQuestionMarks

	// MariaDB is for database/sql. Arguments are ?. It is for MariaDB 10.7 and later, and not for
	// MySQL. Columns must have the character set utf8mb4. With another one, the database returns an
	// error for an argument that the column cannot hold.
	MariaDB

	// SQLite is for database/sql. Arguments are ?. It is for SQLite 3.38 and later, or an older one
	// with its JSON functions. SQLite can store text that is not UTF-8. A row with such an
	// identifier should not be selected, but it is if the policy allows everything except what its
	// rules name. A row is not selected if it has U+FFFE or U+FFFF in a [TextColumn].
	SQLite
)

// Columns says which columns of a query have the identifiers of a row. A list of all configurations
// needs all five, and one of integrations needs one. [Selection.Where] says which are needed.
type Columns struct {
	Integration             Column
	CredentialID            Column
	CredentialExternalID    Column
	ConfigurationID         Column
	ConfigurationExternalID Column
}

// A Column names a column of a query, or says that there is none. The zero Column does neither,
// which is an error where [Selection.Where] needs the column.
//
// The name is written as in the query, such as external_id, c.external_id or c."External ID". A
// part of it consists of ASCII letters, digits and underscores and does not begin with a digit, or
// is quoted with " or `. A quoted part cannot hold a quote or a question mark. The condition has the
// name in the quotes of the dialect, so that it is never anything but a name. In PostgreSQL a part without
// quotes is in lower case there, as PostgreSQL reads it. The name becomes part of the text of the
// query. So it must never come from a request.
//
// In a query with several tables, give the name with its table. In a subquery, a name alone is that of a column of
// the table inside, if that has one. A column that is not a text or an identifier, such as a JSON document or an
// array, must not be named: no rule would match it, and a rule that denies would have no effect.
//
// NULL in a column is an absent identifier, also the NULL of an outer join that found nothing. A row whose
// integration is NULL is not selected.
type Column struct {
	name string
	kind columnKind
}

type columnKind uint8

const (
	columnMissing columnKind = iota
	columnUUID
	columnText
	columnChecked
	columnNone
)

// UUIDColumn is a column for IDs of the type uuid, which PostgreSQL and MariaDB have.
func UUIDColumn(name string) Column { return Column{name, columnUUID} }

// TextColumn is a column of a text type, such as text or varchar, with any text in it.
//
// A row whose text is not a valid identifier (SPEC 2.4, 2.5) is not selected. The condition tests
// that for each row. An ID compares in any letter case, by the function lower. To be fast, this
// needs an index on the expression lower(id). MariaDB has no such indexes: see [CheckedColumn].
func TextColumn(name string) Column { return Column{name, columnText} }

// CheckedColumn is a column of a text type in which a CHECK allows only valid identifiers, and UUIDs
// only in lower case. The conditions are then shorter, and an ordinary index serves them. The file
// docs/lists.md has the CHECK for each database.
//
// Without the CHECK, a policy that denies an ID does not deny a row that spells it in capital letters.
func CheckedColumn(name string) Column { return Column{name, columnChecked} }

// NoColumn says that no row has the identifier: it is absent, as NULL in a column is. Do not use it
// for an identifier that rows have and that the query does not select. Join the table that has it.
func NoColumn() Column { return Column{kind: columnNone} }

// Where returns the selection as a condition for a WHERE clause, and the arguments of the query.
// Pass the arguments whose placeholders stand before the condition. The result args has these
// first, and then the arguments of the condition:
//
//	where, args, err := policy.SelectCredentials(permissions.ProxyAPI, permissions.Integration("slack")).
//		Where(permissions.PostgreSQL, columns, owner)
//	...
//	rows, err := pool.Query(ctx, `SELECT id, name FROM credentials WHERE owner = $1 AND `+where, args...)
//
// Append the arguments that follow the condition to args. The first of these has the number
// len(args)+1. Nothing from the policy and nothing from the target is part of the text: all of it
// is arguments. They are strings, which every driver takes. The text depends on the policy.
//
// Beware of the order where each placeholder is a plain ?. An argument on the wrong side of the condition
// shifts all others, and the database does not notice: denied rows are selected. And put the rest of the
// WHERE clause into parentheses if it has an OR.
//
// The condition selects a row if, and only if, the row is in the target T that the selection is
// within, and [Selection.Has] is true for the target that is made of T and the identifiers of the
// row. It is true or false for every row and never NULL, so that NOT gives all other rows, those in
// other integrations included. It is in parentheses.
//
// Identifiers compare as SPEC 2.5 says, whatever the collation of a column: UUIDs without regard to
// letter case, and names and external IDs by bytes. Where the condition lists what is allowed, it
// can use an index on each column. The condition and its arguments are as long as the rules that
// the selection depends on.
//
// Where needs a column, or [NoColumn], for each identifier below T. Of T itself it needs these
// columns, and uses others if they are given:
//
//   - for an integration: the integration
//   - for a credential with a known ID: the credential ID
//   - for another credential: the integration, and each identifier of the credential that is known or
//     absent
//
// NoColumn is an error for the integration, and for any other identifier of T that is known.
//
// The error matches [ErrSQL], or is that of an invalid question, which matches [ErrQuestion]. With
// an error the condition is one that no row satisfies.
func (s Selection) Where(d Dialect, columns Columns, before ...any) (condition string, args []any, err error) {
	w := &sqlWriter{dialect: d, args: slices.Clip(before)}
	if err = s.err; err == nil {
		err = w.use(columns)
	}
	if err == nil && s.kind == 0 {
		return sqlNone, before, nil
	}
	if err == nil {
		condition, err = w.where(&s)
	}
	if err != nil {
		return sqlNone, before, err
	}
	return condition, w.args, nil
}

const sqlNone = "(1 = 0)" // not every database has a word for false

const (
	maxArgs       = 60_000 // PostgreSQL and MariaDB take 65,535
	maxArgsSQLite = 32_000 // it takes 32,766

	// In SQLite and MariaDB an argument cannot be a list. A list of up to so many texts is written as
	// placeholders, so that the database sees how many rows there can be. A longer list is one argument,
	// as JSON.
	maxListSQLite  = 200
	maxListMariaDB = 16 * maxChunk

	maxChunk = 500 // MariaDB makes a subquery of 1,000 placeholders, which uses no index
)

// An sqlWriter writes a condition.
type sqlWriter struct {
	dialect Dialect
	columns [patterns]Column
	named   *namedTexts
	args    []any
	asJSON  bool // whether MariaDB and SQLite get every list as JSON
}

// use takes the columns and checks them.
func (w *sqlWriter) use(c Columns) error {
	if w.dialect == 0 || w.dialect > SQLite {
		return fmt.Errorf("%w: Dialect(%d) is not a dialect; use PostgreSQL, MariaDB or SQLite", ErrSQL, w.dialect)
	}
	w.columns[integrationByName] = c.Integration
	w.columns[credentialByID], w.columns[credentialByExternalID] = c.CredentialID, c.CredentialExternalID
	w.columns[configurationByID], w.columns[configurationByExternalID] = c.ConfigurationID, c.ConfigurationExternalID
	names := make(map[string]bool)
	for p, column := range w.columns {
		problem := ""
		switch {
		case column.kind == columnMissing:
		case column.kind == columnNone && pattern(p) == integrationByName:
			problem = "is NoColumn, but everything is in an integration"
		case column.kind != columnNone && w.quoted(column.name) == "":
			problem = text.Quote(column.name) +
				" is not the name of a column; it looks like external_id, c.external_id or c.\"External ID\""
		case column.kind == columnUUID && !pattern(p).isID():
			problem = "is a UUIDColumn, but only an ID is a UUID; use TextColumn"
		case column.kind == columnUUID && w.dialect == SQLite:
			problem = "is a UUIDColumn, but SQLite has no type uuid; use TextColumn"
		}
		if problem != "" {
			return columnError(pattern(p), problem)
		}
		if column.kind == columnMissing || column.kind == columnNone {
			continue
		}
		w.columns[p].name = w.quoted(column.name)
		name := strings.ToLower(w.columns[p].name)
		if names[name] {
			return columnError(pattern(p), "is the column of another identifier too; name the right one")
		}
		names[name] = true
	}
	return nil
}

func columnError(p pattern, problem string) error {
	return fmt.Errorf("%w: the column for the %v %s", ErrSQL, p.identifiers(), problem)
}

// quoted returns the name of a column as the database quotes it, or "" if it is not one. It consists of SQL
// identifiers with dots between them. MariaDB and SQLite can take "a" for a text, and each database takes some
// words without quotes for a value, such as NULL or user. Then a condition would say the same of every row.
func (w *sqlWriter) quoted(name string) string {
	mark := `"`
	if w.dialect >= MariaDB {
		mark = "`"
	}
	var parts []string
	for {
		rest := strings.TrimLeft(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
		part := name[:len(name)-len(rest)]
		switch {
		case part == "" && name != "" && (name[0] == '"' || name[0] == '`'):
			var closed bool
			part, rest, closed = strings.Cut(name[1:], name[:1])
			if !closed || strings.ContainsAny(part, "?\x00\"`") {
				return ""
			}
		case part != "" && part[0] >= '0' && part[0] <= '9':
			return ""
		case w.dialect < MariaDB:
			part = strings.ToLower(part)
		}
		if part == "" {
			return ""
		}
		parts = append(parts, mark+part+mark)
		if rest == "" {
			return strings.Join(parts, ".")
		}
		if rest[0] != '.' {
			return ""
		}
		name = rest[1:]
	}
}

// where writes the condition of a selection.
func (w *sqlWriter) where(s *Selection) (string, error) {
	w.named = s.named
	row, absent := identifiersTo(s.kind)&^identifiersTo(s.within.level), Identifiers(0)
	for p, column := range w.columns {
		if which := pattern(p).identifiers(); which&row != 0 {
			switch column.kind {
			case columnMissing:
				return "", columnError(pattern(p), "is missing; a list of "+s.kind.String()+"s needs it, or NoColumn if no row has one")
			case columnNone:
				absent |= which
			}
		}
	}
	f := s.condition.without(absent)
	before, limit := w.args, maxArgs
	if w.dialect == SQLite {
		limit = maxArgsSQLite
	}
	for {
		list, err := w.placed(&s.within)
		switch {
		case err != nil:
			return "", err
		case f == none:
			w.args = before
			return sqlNone, nil
		}
		switch f.op {
		case opEvery:
		case opAll:
			list = append(list, w.formulas(f.of)...)
		default:
			list = append(list, w.formula(f))
		}
		for p := range pattern(patterns) {
			if p.identifiers()&row != 0 {
				list = append(list, w.valid(p)...)
			}
		}
		switch {
		case len(w.args) <= limit:
			return joined(list, " AND "), nil
		case w.asJSON || w.dialect < MariaDB:
			return "", fmt.Errorf("%w: it takes %d arguments, and at most %d are safe; ask Allowed or Visible of each row", ErrSQL, len(w.args), limit)
		}
		w.args, w.asJSON = before, true
	}
}

// placed writes the conditions that a row is in a target.
func (w *sqlWriter) placed(within *Target) (list []string, err error) {
	if within.level < KindIntegration {
		return nil, nil
	}
	needed := within.known | within.absent
	if within.known.Has(CredentialID) {
		needed = CredentialID
	}
	for p := integrationByName; p <= credentialByID; p++ {
		which, column := p.identifiers(), w.columns[p]
		switch {
		case column.kind == columnMissing && which&needed != 0:
			problem := "is missing, and the selection is within " + within.String() + "; name the column"
			if within.absent.Has(which) {
				problem += ", or give NoColumn if no row has one"
			}
			return nil, columnError(p, problem)
		case column.kind == columnNone && within.known.Has(which):
			return nil, columnError(p, "is NoColumn, but the selection is within "+within.String()+"; name the column")
		case column.kind == columnMissing || column.kind == columnNone:
		case within.known.Has(which):
			s, _ := within.Lookup(which)
			list = append(list, w.in(p, []string{s}))
		case within.absent.Has(which):
			list = append(list, "("+column.name+" IS NULL)")
		}
	}
	return list, nil
}

// formula writes a formula, in parentheses.
func (w *sqlWriter) formula(f *formula) string {
	switch f.op {
	case opIn:
		return w.tuples(f.tuples, true)
	case opNotIn:
		return "(NOT " + w.tuples(f.tuples, false) + ")"
	}
	if f.op == opAny {
		return joined(w.formulas(f.of), " OR ")
	}
	return joined(w.formulas(f.of), " AND ")
}

func (w *sqlWriter) formulas(of []*formula) []string {
	list := make([]string, len(of))
	for i, f := range of {
		list[i] = w.formula(f)
	}
	return list
}

// joined joins expressions with an operator. It writes many as a balanced tree, because SQLite limits
// the depth of an expression, and reads a OR b OR c as (a OR b) OR c.
func joined(list []string, operator string) string {
	const most = 100
	if len(list) == 1 {
		return list[0]
	}
	if len(list) > most {
		half := len(list) / 2
		list = []string{joined(list[:half], operator), joined(list[half:], operator)}
	}
	return "(" + strings.Join(list, operator) + ")"
}

const (
	maxGroups = 4        // up to so many groups of tuples, each has a condition of its own
	maxPrefix = 64 << 10 // how many bytes the first text of a group may take, repeated for each tuple
)

// tuples writes that a row has one of the tuples, which have one shape. positive says that the
// condition is not below a NOT. Then it is written so that an index can serve it: beside joined texts,
// each column except that of the integration is compared with its own texts too.
//
// Tuples of several cells are grouped by their first cell. If there are few groups, each gets a
// condition of its own. If there are many, the texts of a tuple are joined to one, with a separator
// that no valid identifier holds, and these joined texts make one list. A joined text repeats the
// text of the first cell for each tuple. So a group gets a condition of its own if that would take more
// than maxPrefix bytes.
func (w *sqlWriter) tuples(list []tuple, positive bool) string {
	first := 0
	for list[0][first] == 0 {
		first++
	}
	levels := []int{}
	for level := first; level < len(tuple{}); level++ {
		if list[0][level] != 0 {
			levels = append(levels, level)
		}
	}
	if len(levels) == 1 {
		return w.test(list[0].pattern(first), w.texts(list, first), positive)
	}
	groups := make(map[cell][]tuple)
	var order []cell
	for _, t := range list {
		c := t[first]
		if groups[c] == nil {
			order = append(order, c)
		}
		t[first] = 0
		groups[c] = append(groups[c], t)
	}
	var parts []string
	var together []tuple
	for _, c := range order {
		own := groups[c]
		var head tuple
		head[first] = c
		if name := w.named.text(&head, first); len(order) <= maxGroups || len(name)*len(own) > maxPrefix {
			// MariaDB merges indexes only if each part of the condition can use exactly one. What follows
			// the AND can use one already.
			indexed := positive && w.dialect != MariaDB
			parts = append(parts, "("+w.test(head.pattern(first), []string{name}, indexed)+" AND "+w.tuples(own,
				positive)+")")
			continue
		}
		for _, t := range own {
			t[first] = c
			together = append(together, t)
		}
	}
	if together != nil {
		parts = append(parts, w.together(together, levels, positive))
	}
	return joined(parts, " OR ")
}

// texts returns the texts of the cells at a level, each once.
func (w *sqlWriter) texts(list []tuple, level int) []string {
	var cells []cell
	for _, t := range list {
		cells = append(cells, t[level])
	}
	slices.Sort(cells)
	cells = slices.Compact(cells)
	texts := make([]string, len(cells))
	for i, c := range cells {
		var t tuple
		t[level] = c
		texts[i] = w.named.text(&t, level)
	}
	return texts
}

// together writes that the texts of a row, joined to one, are in a list of joined texts.
func (w *sqlWriter) together(list []tuple, levels []int, positive bool) string {
	var parts, exprs []string
	for _, level := range levels {
		p := list[0].pattern(level)
		column := w.columns[p]
		parts = append(parts, column.name+" IS NOT NULL")
		if positive && p != integrationByName {
			parts = append(parts, w.indexed(p, w.texts(list, level)))
		}
		exprs = append(exprs, w.asText(p))
	}
	texts := make([]string, len(list))
	for i, t := range list {
		var b strings.Builder
		for j, level := range levels {
			if j > 0 {
				b.WriteByte(separator)
			}
			b.WriteString(w.named.text(&t, level))
		}
		texts[i] = b.String()
	}
	var expr string
	switch w.dialect {
	case MariaDB:
		expr = "CAST(CONCAT(" + strings.Join(exprs, ", _utf8mb4 X'1F', ") + ") AS BINARY)"
	case SQLite:
		expr = "(" + strings.Join(exprs, " || char(31) || ") + ") COLLATE BINARY"
	default:
		expr = "(" + strings.Join(exprs, ` || E'\x1f' || `) + `) COLLATE "C"`
	}
	parts = append(parts, w.member(expr, "text", texts))
	return "(" + strings.Join(parts, " AND ") + ")"
}

const separator = 0x1f // a control character, which SPEC 2.4 forbids

// in writes that a column has one of the texts.
func (w *sqlWriter) in(p pattern, list []string) string { return w.test(p, list, true) }

// test writes the condition that a column has one of the texts. It is never NULL. With positive,
// the condition can use an index.
func (w *sqlWriter) test(p pattern, list []string, positive bool) string {
	column := w.columns[p]
	parts := []string{column.name + " IS NOT NULL"}
	exact := w.exact(p)
	mark := len(w.args)
	if positive {
		parts = append(parts, w.indexed(p, list))
	}
	switch {
	case positive && (exact == w.indexedExpr(p) || column.kind == columnUUID):
	case w.dialect == PostgreSQL && positive:
		// The same argument once more.
		parts = append(parts, exact+" = ANY($"+strconv.Itoa(mark+1)+"::text[])")
	default:
		parts = append(parts, w.member(exact, w.listType(p), list))
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// indexed writes a condition that can use an index. It is true wherever the exact comparison is.
func (w *sqlWriter) indexed(p pattern, list []string) string {
	return w.member(w.indexedExpr(p), w.listType(p), list)
}

func (w *sqlWriter) listType(p pattern) string {
	if w.columns[p].kind == columnUUID {
		return "uuid"
	}
	return "text"
}

// indexedExpr returns the expression of a column that an index can be on.
func (w *sqlWriter) indexedExpr(p pattern) string {
	column := w.columns[p]
	switch {
	case !p.isID() || column.kind != columnText:
		return column.name
	case w.dialect == MariaDB: // it has no index on an expression
		return w.exact(p)
	}
	return "lower(" + column.name + ")"
}

// exact returns an expression for a column that compares by bytes, or as UUIDs for a column of type
// uuid.
func (w *sqlWriter) exact(p pattern) string {
	column := w.columns[p]
	lower := p.isID() && column.kind == columnText
	switch {
	case column.kind == columnUUID && w.dialect == MariaDB:
		return "CAST(" + column.name + " AS UUID)" // if it is a BINARY(16), nothing else matches it
	case column.kind == columnUUID:
		return column.name
	case w.dialect == MariaDB:
		return "CAST(" + w.asText(p) + " AS BINARY)"
	case w.dialect == SQLite && lower:
		return "lower(" + column.name + ")" // which has no collation
	case w.dialect == SQLite: // with COLLATE BINARY instead of || '', SQLite would not use the column's index
		return "(" + column.name + " || '')"
	}
	return w.asText(p)
}

// asText returns a column as a text.
func (w *sqlWriter) asText(p pattern) string {
	column := w.columns[p]
	expr := column.name
	switch w.dialect {
	case MariaDB:
		if column.kind == columnUUID {
			return "CAST(CAST(" + expr + " AS UUID) AS CHAR(36))"
		}
		expr = "CONVERT(" + expr + " USING utf8mb4)"
	case SQLite:
	default:
		if column.kind == columnUUID {
			return expr + "::text"
		}
		// The first collation is an error for what is not a text, such as a whole row or a bytea.
		expr = "(" + expr + ` COLLATE "C")::text COLLATE "C"`
	}
	if p.isID() && column.kind == columnText {
		return "lower(" + expr + ")"
	}
	return expr
}

// argument adds an argument and returns its place in the text.
func (w *sqlWriter) argument(s string) string {
	w.args = append(w.args, s)
	if w.dialect == PostgreSQL {
		return "$" + strconv.Itoa(len(w.args))
	}
	return "?"
}

// member writes that an expression is in a list.
func (w *sqlWriter) member(expr, listType string, list []string) string {
	switch {
	case w.dialect < MariaDB:
		return expr + " = ANY(" + w.argument(arrayLiteral(list)) + "::" + listType + "[])"
	case w.dialect == SQLite && (w.asJSON && len(list) > 1 || len(list) > maxListSQLite):
		return expr + " IN (SELECT value FROM json_each(" + w.argument(jsonList(list)) + "))"
	case w.dialect == MariaDB && (w.asJSON && len(list) > 1 || len(list) > maxListMariaDB):
		column := "v LONGTEXT CHARACTER SET utf8mb4"
		if listType == "uuid" {
			column = "v UUID"
		}
		return expr + " IN (SELECT v FROM JSON_TABLE(" + w.argument(jsonList(list)) + ", '$[*]' COLUMNS (" + column +
			" PATH '$')) AS list)"
	}
	var chunks []string
	for chunk := range slices.Chunk(list, maxChunk) {
		for _, s := range chunk {
			w.argument(s)
		}
		chunks = append(chunks, expr+" IN (?"+strings.Repeat(", ?", len(chunk)-1)+")")
	}
	return joined(chunks, " OR ")
}

func jsonList(list []string) string {
	return string(strictjson.AppendList(nil, '[', list, strictjson.AppendString))
}

// arrayLiteral returns the text of an array of PostgreSQL. Every driver takes it, where not every
// driver takes a []string.
func arrayLiteral(list []string) string {
	return string(strictjson.AppendList(nil, '{', list, func(b []byte, s string) []byte {
		b = append(b, '"')
		for i := range len(s) {
			if s[i] == '"' || s[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, s[i])
		}
		return append(b, '"')
	}))
}

// Characters for regular expressions and for GLOB. A '-' stands for the range between its neighbors.
// sqlSpaces is White_Space without control characters. sqlForbids is what SPEC 2.4 forbids at any
// place in a text, except NUL, which PostgreSQL cannot store and valid tests for in the others.
var (
	sqlSpaces  = []rune{' ', 0xa0, 0x1680, 0x2000, '-', 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000}
	sqlForbids = []rune{0x01, '-', 0x1f, 0x7f, '-', 0x9f, 0xfffd}
)

// valid writes the tests that a row has a valid identifier (SPEC 2.4, 2.5), or NULL where that is
// allowed.
func (w *sqlWriter) valid(p pattern) (list []string) {
	column := w.columns[p]
	if column.kind == columnNone {
		return nil
	}
	optional := column.name + " IS NULL OR "
	if p == integrationByName {
		optional = ""
		list = append(list, "("+column.name+" IS NOT NULL)")
	}
	if column.kind == columnText {
		list = append(list, "("+optional+w.validText(p)+")")
	}
	return list
}

func (w *sqlWriter) validText(p pattern) string {
	const uuid = `[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`
	name := w.columns[p].name
	if w.dialect == SQLite {
		return w.validInSQLite(p, name)
	}
	escape := func(list []rune) string {
		var b strings.Builder
		for _, r := range list {
			switch {
			case r == '-':
				b.WriteByte('-')
			case w.dialect == MariaDB:
				fmt.Fprintf(&b, `\x{%x}`, r)
			default:
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		}
		return b.String()
	}
	spaces, forbidden := escape(sqlSpaces), escape(sqlForbids)
	if w.dialect == MariaDB {
		forbidden += `\x{0}`
	}
	not, pattern := " NOT", `\A[`+spaces+`]|[`+spaces+`]\z|[`+forbidden+`]|\A\z|\A\*\z`
	switch {
	case p.isID():
		not, pattern = "", `\A`+uuid+`\z`
	case p == integrationByName:
		pattern = `\A[` + spaces + `]|[` + spaces + `]\z|[` + forbidden + `*]|\A\z|\A[eE][xX][tT](:|\z)`
	}
	if w.dialect == MariaDB {
		// As digits, the pattern means the same in every SQL mode.
		return "CONVERT(" + name + " USING utf8mb4) COLLATE utf8mb4_bin" + not + " REGEXP _utf8mb4 X'" +
			strings.ToUpper(hex.EncodeToString([]byte(pattern))) + "'"
	}
	pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, `\z`, `\Z`), `\`, `\\`)
	operator := " ~ "
	if not != "" {
		operator = " !~ "
	}
	return name + `::text COLLATE "C"` + operator + "E'" + pattern + "'"
}

// validInSQLite does without regular expressions, which SQLite does not have.
func (w *sqlWriter) validInSQLite(p pattern, name string) string {
	chars := func(list []rune) string {
		var codes []string
		for _, r := range list {
			codes = append(codes, strconv.Itoa(int(r)))
		}
		return "char(" + strings.Join(codes, ", ") + ")"
	}
	list := []string{"typeof(" + name + ") = 'text'"}
	if p.isID() {
		list = append(list, "length(CAST("+name+" AS BLOB)) = 36", name+" NOT GLOB '*[^0-9a-fA-F-]*'",
			"length(replace("+name+", '-', '')) = 32")
		for _, place := range []string{"9", "14", "19", "24"} {
			list = append(list, "substr("+name+", "+place+", 1) = '-'")
		}
		return strings.Join(list, " AND ")
	}
	list = append(list, "length("+name+") > 0", "instr("+name+", char(0)) = 0",
		name+" NOT GLOB '*[' || "+chars(sqlForbids)+" || ']*'",
		name+" NOT GLOB '[' || "+chars(sqlSpaces)+" || ']*'", name+" NOT GLOB '*[' || "+chars(sqlSpaces)+" || ']'")
	if p == integrationByName {
		list = append(list, "instr("+name+", '*') = 0", "lower("+name+") <> 'ext'",
			"lower(substr("+name+", 1, 4)) <> 'ext:'")
	} else {
		list = append(list, name+" COLLATE BINARY <> '*'")
	}
	return strings.Join(list, " AND ")
}
