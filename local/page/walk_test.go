//go:build !unit

package page_test

import (
	_ "embed"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ace/infra/testkit/chromium"
	"ace/infra/testkit/pgserver"
	"ace/shared/schedule"
)

//go:embed testdata/axe-core/axe.min.js
var axe string

var update = flag.Bool("update", false, "take the screenshots in docs/ again")

// click clicks on an element.
func (b *tab) click(t testing.TB, selector string) {
	t.Helper()
	b.Do(t, chromedp.Click(selector))
}

// shot takes a screenshot of the whole page for the documentation if -update is set and
// the screen is the wanted one.
func (b *tab) shot(t testing.TB, size, wanted chromium.Screen, name string) {
	t.Helper()
	if !*update || size != wanted {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pgserver.Root(), "docs", name), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// accessible checks the page with axe-core, and that it is not wider than the screen.
func (b *tab) accessible(t testing.TB, what string) {
	t.Helper()
	found := chromium.Eval[[]string](t, b.Tab, axe+`; axe.run(document, {resultTypes: ["violations"]}).then((result) => result.violations.map(
		(v) => v.id + ": " + v.help + ": " + v.nodes.map((node) => node.html + " " + node.any.map((a) => a.message).join("; ")).slice(0, 3).join(" | ")))`)
	for _, violation := range found {
		t.Errorf("%s: %s", what, violation)
	}
	if wide := chromium.Eval[bool](t, b.Tab, `document.documentElement.scrollWidth > innerWidth`); wide {
		t.Errorf("%s: the page is wider than the screen", what)
	}
}

func TestPage(t *testing.T) {
	admin, c := shop(t)
	jobs, err := schedule.Parse("schedules.yaml", []byte(`jobs:
  - {name: nightly, cluster_name: demo, table_name: public.*, crontab_schedule: 30 2 * * *, rerun_after: 10m}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, c, "", jobs...)
	s.admin = admin
	for range 3 {
		s.Diff(t, "public.orders")
	}
	s.Diff(t, "public.invoices", "table_filter", "id < 100")
	s.Diff(t, hostile)
	found := s.Diff(t, "public.customers")

	t.Run("TheDBAFindsRepairsProvesAndUndoes", func(t *testing.T) {
		walk(t, s, desktop)
		walk(t, s, phone)
		if n := admin.QueryStrings(t, 1, "SELECT count(*) FROM customers")[0][0]; n != "1999" {
			t.Errorf("after the undo n2 has %s customers, want 1999", n)
		}
	})
	t.Run("AComparisonIsFollowedUntilItsVerdict", func(t *testing.T) { follow(t, s) })
	t.Run("NoNameAndNoValueIsMarkup", func(t *testing.T) { escapes(t, s) })
	t.Run("ReadsWithoutScripts", func(t *testing.T) { withoutScripts(t, s, found.TaskID) })
	t.Run("IsUsedWithTheKeyboard", func(t *testing.T) { keyboard(t, s) })
	t.Run("ChangesNothingWithoutItsForm", func(t *testing.T) { forms(t, s, found.TaskID) })
}

// walk is what a DBA does at 3 a.m.: which table differs, which rows, repair them, prove
// it, and undo.
func walk(t *testing.T, s *site, size chromium.Screen) {
	name := map[chromium.Screen]string{desktop: "wide", phone: "phone"}[size]
	b := s.open(t, size, "/")
	b.shows(t, "tables differ")
	b.shows(t, "next run in")
	b.until(t, `document.querySelectorAll(".cluster .pill.match").length === 3`) // all nodes are reachable
	b.accessible(t, "overview, "+name)
	b.shot(t, size, desktop, "page-overview.png")
	b.shot(t, size, phone, "page-phone.png")

	b.click(t, `header .primary`)
	b.shows(t, "More options")
	b.click(t, `input[value="public.customers"]`)
	b.accessible(t, "new comparison, "+name)
	b.shot(t, size, desktop, "page-compare.png")
	b.click(t, `form.compare button[type=submit]`)

	b.shows(t, "1 to 4 of 4 differences")
	b.shows(t, "n2 stands alone in all of them")
	b.accessible(t, "comparison, "+name)
	b.shot(t, size, desktop, "page-task.png")
	b.click(t, `input[name=source_of_truth][value=n1]`)
	b.click(t, `#repair button[type=submit]`)

	b.shows(t, "4 rows would change")
	b.shows(t, "Repair public.customers on n2?")
	b.accessible(t, "dry run, "+name)
	b.shot(t, size, desktop, "page-repair.png")
	b.click(t, `input[name=confirmed]`)
	b.click(t, `form.ask button[type=submit]`)
	b.shows(t, "4 rows were changed")
	b.accessible(t, "repair, "+name)
	repair := chromium.Eval[string](t, b.Tab, `location.pathname`)

	b.click(t, `form[action$="/rerun"] button`)
	b.shows(t, "All 4 rows that differed before are the same now")
	b.accessible(t, "rerun, "+name)

	b.Do(t, chromedp.Navigate(s.url+repair))
	b.click(t, `form[action$="/undo"] button`)
	b.shows(t, "4 rows would change")
	b.click(t, `input[name=confirmed]`)
	b.click(t, `form.ask button[type=submit]`)
	b.shows(t, "4 rows were changed")

	for _, list := range []string{"/tasks", "/archive?verdict=differ", "/archive?since=x", "/tasks?table_name=public.none", "/nothing/here"} {
		if list == "/nothing/here" {
			list = "/tasks/td_20200101_000000"
		}
		b.Do(t, chromedp.Navigate(s.url+list))
		b.accessible(t, list+", "+name)
	}
	b.ForgetErrors() // the browser logs the statuses 400 and 404
}

// follow checks the live progress of a comparison that waits for a lock.
func follow(t *testing.T, s *site) {
	release := hold(t, s)
	id := s.Submit(t, "public.orders")
	overview, task := s.open(t, desktop, "/"), s.open(t, desktop, "/tasks/"+id)
	overview.until(t, `document.querySelector("#progress a[href='/tasks/`+id+`']") !== null`)
	task.shows(t, "Cancel this task")
	task.accessible(t, "running")
	release()
	task.shows(t, "All 500 rows are the same on")
	overview.shows(t, "No task is running.")

	release = hold(t, s)
	id = s.Submit(t, "public.orders")
	task = s.open(t, phone, "/tasks/"+id)
	task.shows(t, "Cancel this task")
	chromium.Eval[bool](t, task.Tab, `document.querySelector("button.danger").click(), true`)
	task.shows(t, "cancelled")
	release()
	s.Wait(t, id)
}

// hold makes comparisons of public.orders wait until the returned function is called.
func hold(t *testing.T, s *site) (release func()) {
	t.Helper()
	conn := s.admin.Connect(t, 0)
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// escapes checks that no page has the name or the value of the hostile table as markup.
func escapes(t *testing.T, s *site) {
	d := s.Diff(t, hostile)
	for _, path := range []string{
		"/", "/tasks", "/archive", "/compare", "/tasks/" + d.TaskID, "/archive?table_name=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
		"/tasks?after=%3Cscript%3Ealert(1)", "/events?task=%3Cscript%3Ealert(1)", "/compare?q=%22%3E%3Cscript%3Ealert(1)",
	} {
		_, header, body := s.get(t, path)
		for _, forbidden := range []string{"<script>alert", "<img", "\x1b", "\u202e", "<b>note"} {
			if strings.Contains(body, forbidden) {
				t.Errorf("%s contains %q", path, forbidden)
			}
		}
		if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy is %q", path, policy)
		}
	}
	b := s.open(t, phone, "/tasks/"+d.TaskID) // its cleanup checks that no dialog was opened
	b.shows(t, "U+001B")
	b.shows(t, "U+202E")
}

// withoutScripts checks that everything can be read in a browser without scripts.
func withoutScripts(t *testing.T, s *site, id string) {
	b := s.open(t, desktop, "/archive")
	if _, err := chromedp.Call(b.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/": "public.orders", "/tasks": "Comparison", "/archive": "public.customers",
		"/tasks/" + id: "no such row", "/compare?q=order": "public.orders",
	} {
		b.Do(t, chromedp.Navigate(s.url+path))
		b.shows(t, want)
	}
}

// keyboard starts a comparison with the keyboard alone.
func keyboard(t *testing.T, s *site) {
	b := s.open(t, desktop, "/compare")
	press := func(keys ...string) {
		for _, key := range keys {
			b.Do(t, chromedp.KeyEvent(key))
		}
	}
	reach := func(selector string) {
		t.Helper()
		for range 40 {
			press(kb.Tab)
			if chromium.Eval[bool](t, b.Tab, `document.activeElement.matches("`+selector+`")`) {
				return
			}
		}
		t.Fatalf("%s cannot be reached with Tab", selector)
	}
	press(kb.Tab)
	if got := chromium.Eval[string](t, b.Tab, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first focus is on %q", got)
	}
	press(kb.Enter)
	reach("input[type=search]")
	press("o", "r", "d", "e", "r")
	reach("input[type=radio]")
	press(" ")
	reach("form.compare button.primary")
	press(kb.Enter)
	b.shows(t, "All 500 rows are the same on")
}
