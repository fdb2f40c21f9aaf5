// Command benchmark measures a page of a list: with the condition of a selection, and with a loop over all
// rows that asks the policy about each. It starts its own databases, and writes RESULTS.md and chart.svg
// into the current directory.
//
//	go run ./benchmark           1,000 to 1,000,000 rows, some minutes
//	go run ./benchmark -rows 1000
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver sqlite

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/lists/databases"
)

func main() {
	most := flag.Int("rows", 1_000_000, "how many rows there are at most")
	flag.Parse()
	results, err := measure(context.Background(), *most, time.Second, os.Stderr)
	if err == nil {
		err = errors.Join(os.WriteFile("RESULTS.md", results.report(), 0o644),
			os.WriteFile("chart.svg", results.chart(), 0o644))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

// pageSize is how many rows a page has.
const pageSize = 50

// A database is one of the three, with a table of credentials that one owner has.
type database struct {
	name           string
	driver, source string
	dialect        permissions.Dialect
	id, text       string
	fill           string // makes rows from numbers; %d is how many

}

// columns says which columns have the identifiers of a row.
func (d *database) columns() permissions.Columns {
	id := permissions.UUIDColumn("id")
	if d.dialect == permissions.SQLite {
		id = permissions.CheckedColumn("id")
	}
	return permissions.Columns{
		Integration: permissions.CheckedColumn("integration"), CredentialID: id,
		CredentialExternalID: permissions.CheckedColumn("external_id"),
	}
}

// prepare makes the table with that many rows.
func (d *database) prepare(ctx context.Context, db *sql.DB, rows int) error {
	analyze := "ANALYZE credentials"
	if d.dialect == permissions.MariaDB {
		analyze = "ANALYZE TABLE credentials"
	}
	for _, statement := range []string{
		"DROP TABLE IF EXISTS credentials",
		"CREATE TABLE credentials (id " + d.id + " PRIMARY KEY, owner " + d.text + " NOT NULL, integration " + d.text +
			" NOT NULL, external_id " + d.text + ")",
		fmt.Sprintf("INSERT INTO credentials "+d.fill, rows-1),
		"CREATE INDEX page ON credentials (owner, id)",
		"CREATE INDEX by_external_id ON credentials (external_id)",
		analyze,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// A way returns a page of what is visible.
type way struct {
	name string
	page func(ctx context.Context, db *sql.DB, d *database, p *permissions.Policy) ([]string, error)
}

var ways = []way{
	{"load all rows and loop", func(ctx context.Context, db *sql.DB, _ *database, p *permissions.Policy) ([]string,
		error) {
		ids, err := loop(ctx, db, p, 0)
		return ids[:min(len(ids), pageSize)], err
	}},
	{"loop until the page is full", func(ctx context.Context, db *sql.DB, _ *database,
		p *permissions.Policy) ([]string, error) {
		return loop(ctx, db, p, pageSize)
	}},
	{"the condition", selected},
}

// The ways, by their places.
const (
	loopAll = iota
	loopUntilFull
	condition
)

// loop asks the policy about one row after the other, and ends when it has found most rows. If most is 0, it does
// not end early.
func loop(ctx context.Context, db *sql.DB, p *permissions.Policy, most int) (ids []string, err error) {
	rows, err := db.QueryContext(ctx,
		"SELECT id, integration, external_id FROM credentials WHERE owner = 'ann' ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, integration string
		var externalID sql.NullString
		if err := rows.Scan(&id, &integration, &externalID); err != nil {
			return nil, err
		}
		target := permissions.Integration(integration).
			Credential(permissions.ID(id), permissions.ExternalIDOrNone(externalID.String, externalID.Valid))
		if p.Visible(target) {
			if ids = append(ids, id); len(ids) == most {
				return ids, nil
			}
		}
	}
	return ids, rows.Err()
}

func selected(ctx context.Context, db *sql.DB, d *database, p *permissions.Policy) (ids []string, err error) {
	where, args, err := p.VisibleCredentials(permissions.User()).Where(d.dialect, d.columns(), "ann")
	if err != nil {
		return nil, err
	}
	owner := "?"
	if d.dialect == permissions.PostgreSQL {
		owner = "$1"
	}
	rows, err := db.QueryContext(ctx, "SELECT id, integration, external_id FROM credentials WHERE owner = "+owner+" AND "+where+
		" ORDER BY id LIMIT "+strconv.Itoa(pageSize), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, integration string
		var externalID sql.NullString
		if err := rows.Scan(&id, &integration, &externalID); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// A policy is one that is measured.
type policy struct {
	name, about string
	policy      *permissions.Policy
}

func id(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000001", n) }

func policies() []policy {
	var allow strings.Builder
	for n := range 10 {
		fmt.Fprintf(&allow, `"credential:%s": true, `, id(90*n+5))
	}
	return []policy{
		{"a few", "ten IDs and two external IDs are allowed", permissions.MustParse(`{` + allow.String() +
			`"credential:ext:team 3": true, "credential:ext:team 7": ["events"]}`)},
		{"all but a few", "everything is allowed, but for one ID and two external IDs", permissions.MustParse(
			`{"integration:*": true, "credential:` + id(5) +
				`": false, "credential:ext:team 3": false, "credential:ext:team 7": false}`)},
	}
}

// A measurement is the median time of a page.
type measurement struct {
	database, policy, way string
	rows                  int
	took                  time.Duration
}

type results struct {
	list     []measurement
	sizes    []int
	versions []string
}

// of returns the time of a measurement.
func (r *results) of(database, policy, way string, rows int) time.Duration {
	for _, m := range r.list {
		if m.database == database && m.policy == policy && m.way == way && m.rows == rows {
			return m.took
		}
	}
	return 0
}

// measure runs everything, each page for some time. All ways must give the same page.
func measure(ctx context.Context, most int, each time.Duration, progress io.Writer) (r *results, err error) {
	postgreSQL, err := databases.StartPostgreSQL(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, postgreSQL.Stop()) }()
	mariaDB, err := databases.StartMariaDB(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, mariaDB.Stop()) }()
	r = new(results)
	for n := 1000; n <= most; n *= 10 {
		r.sizes = append(r.sizes, n)
	}
	for _, d := range []database{
		{
			name: "PostgreSQL", driver: "pgx", source: postgreSQL.Source, dialect: permissions.PostgreSQL, id: "uuid",
			text: "text",
			fill: `SELECT (lpad(to_hex(n), 8, '0') || '-0000-4000-8000-000000000001')::uuid, 'ann',
				'integration ' || n %% 20,
				CASE WHEN n %% 4 = 0 THEN NULL ELSE 'team ' || n %% 50000 END FROM generate_series(0, %d) AS n`,
		},
		{
			name: "MariaDB", driver: "mysql", source: mariaDB.Source, dialect: permissions.MariaDB, id: "UUID",
			text: "VARCHAR(100) CHARACTER SET utf8mb4",
			fill: `SELECT CONCAT(LPAD(LOWER(HEX(seq)), 8, '0'), '-0000-4000-8000-000000000001'), 'ann',
				CONCAT('integration ', seq %% 20),
				CASE WHEN seq %% 4 = 0 THEN NULL ELSE CONCAT('team ', seq %% 50000) END FROM seq_0_to_%d`,
		},
		{
			name: "SQLite", driver: "sqlite", source: ":memory:", dialect: permissions.SQLite, id: "TEXT",
			text: "TEXT",
			fill: `WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
				SELECT printf('%%08x-0000-4000-8000-000000000001', n), 'ann', 'integration ' || n %% 20,
				CASE WHEN n %% 4 = 0 THEN NULL ELSE 'team ' || n %% 50000 END FROM numbers`,
		},
	} {
		if err := r.addDatabase(ctx, &d, each, progress); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return r, nil
}

func (r *results) addDatabase(ctx context.Context, d *database, each time.Duration, progress io.Writer) error {
	db, err := sql.Open(d.driver, d.source)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	version := "SELECT version()"
	if d.dialect == permissions.SQLite {
		version = "SELECT sqlite_version()"
	}
	var text string
	if err := db.QueryRowContext(ctx, version).Scan(&text); err != nil {
		return err
	}
	text = strings.TrimPrefix(text, "PostgreSQL ")
	r.versions = append(r.versions, d.name+" "+strings.Fields(text)[0])
	for _, rows := range r.sizes {
		if err := d.prepare(ctx, db, rows); err != nil {
			return err
		}
		for _, p := range policies() {
			var want []string
			for i, w := range ways {
				took, ids, err := median(each, func() ([]string, error) { return w.page(ctx, db, d, p.policy) })
				if err != nil {
					return err
				}
				if i == 0 {
					want = ids
				}
				if !slices.Equal(want, ids) {
					return fmt.Errorf("%s, %s: the page is another one: %q, not %q", p.name, w.name, ids, want)
				}
				r.list = append(r.list, measurement{d.name, p.name, w.name, rows, took})
				fmt.Fprintf(progress, "%s, %d rows, %s, %s: %v\n", d.name, rows, p.name, w.name, took)
			}
		}
	}
	return nil
}

// median returns the median time of a function that is called for some time, at least five times.
func median(each time.Duration, f func() ([]string, error)) (took time.Duration, ids []string, err error) {
	var times []time.Duration
	for begin := time.Now(); len(times) < 5 || time.Since(begin) < each && len(times) < 200; {
		before := time.Now()
		if ids, err = f(); err != nil {
			return 0, nil, err
		}
		times = append(times, time.Since(before))
	}
	slices.Sort(times)
	return times[len(times)/2], ids, nil
}

// report returns the results as Markdown.
func (r *results) report() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# A page of a list

Time of the first page of %d visible credentials of an owner, by how many rows the owner has: the median, with the time
to make the condition. All ways gave the same page. %s; %s, %d processors, databases on the same machine.

`, pageSize, strings.Join(r.versions, ", "), runtime.Version(), runtime.NumCPU())
	b.WriteString("![Time of a page by the number of rows](chart.svg)\n")
	for _, p := range policies() {
		fmt.Fprintf(&b, "\n## %s\n\nThe policy: %s.\n\n| database | rows | %s | %s | %s | times faster than the first |\n|---|--:|--:|--:|--:|--:|\n",
			strings.ToUpper(p.name[:1])+p.name[1:], p.about, ways[0].name, ways[1].name, ways[2].name)
		for _, version := range r.versions {
			name, _, _ := strings.Cut(version, " ")
			for _, rows := range r.sizes {
				first, second, third := r.of(name, p.name, ways[0].name, rows), r.of(name, p.name, ways[1].name,
					rows), r.of(name, p.name, ways[2].name, rows)
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f |\n", name, thousands(rows), milliseconds(first),
					milliseconds(second), milliseconds(third),
					float64(first)/float64(third))
			}
		}
	}
	b.WriteString(`
Where nearly every row is visible, a loop over SQLite that ends when the page is full is as good. The other databases
send rows that nobody reads. Where few rows are visible such a loop reads nearly all of them, and it cannot count.

Written by ` + "`go run ./benchmark`" + `.
`)
	return []byte(b.String())
}

func milliseconds(t time.Duration) string {
	return strconv.FormatFloat(float64(t)/1e6, 'f', 2, 64) + " ms"
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
