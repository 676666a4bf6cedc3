//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ace/docs"
)

// requestGenerator makes HTTP requests from docs/openapi.json: valid ones, valid ones
// with a few changes, and hostile ones.
type requestGenerator struct {
	random     *rand.Rand
	operations []describedOperation
	known      map[string]string // valid values of parameters, by name
}

// describedOperation is a path and the parameters of its GET.
type describedOperation struct {
	path       string
	parameters []describedParameter
}

type describedParameter struct {
	Name     string
	In       string
	Required bool
	Schema   struct {
		Type     string
		Enum     []any
		Examples []any
		Minimum  *float64
	}
}

// hostileValues are texts for names, values, headers and bodies.
var hostileValues = []string{
	"", " ", "\x00", "\xff\xfe", "\r\nX-A: b", "../../etc/passwd", "%", "%zz", "%2e%2e%2f", "'; DROP TABLE t; --", `"`, "$$", "\\", "{}", "[]", "null", "true", "NaN",
	"-1", "1e999", "0x10", "99999999999999999999999", "1.5", "٣", "\u202e\u200d", "\U0010ffff", "public.t.t.t", `"a""b".c`, "*", "?", "a,b,,c", "all",
	"0001-01-01", "9999-12-31T23:59:60Z", "-9223372036854775808", "PT1H", "s3://b/k", "file:///etc/passwd", "http://[::1", "bytes=0-0,5-3", "bytes=-0",
	"bytes=99999999999999999999-", `W/"`, "Bearer ", "gzip;q=0, *", strings.Repeat("a", 5000), strings.Repeat("é,", 300), strings.Repeat("(", 2000), strings.Repeat(`{"a":`, 400),
}

// newRequestGenerator reads the description. It leaves out the paths that no endpoint of
// package app serves.
func newRequestGenerator(t *testing.T, random *rand.Rand, known map[string]string) *requestGenerator {
	t.Helper()
	var description struct {
		Paths map[string]struct {
			Get struct{ Parameters []describedParameter }
		}
	}
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &description); err != nil {
		t.Fatal(err)
	}

	g := &requestGenerator{random: random, known: known}
	for path, item := range description.Paths {
		if path != "/metrics" && path != "/ace/schedules" {
			g.operations = append(g.operations, describedOperation{path, item.Get.Parameters})
		}
	}
	slices.SortFunc(g.operations, func(a, b describedOperation) int { return strings.Compare(a.path, b.path) })
	return g
}

// next returns a request as it is sent over a connection.
func (g *requestGenerator) next() string {
	operation := choice(g, g.operations)
	pairs := g.pairs(operation)
	method := "GET"
	if g.often(3) {
		method = "POST"
	}
	if g.often(20) {
		method = choice(g, []string{"HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"})
	}

	path := strings.ReplaceAll(operation.path, "{task_id}", url.PathEscape(g.value(describedParameter{Name: "task_id"})))
	if g.often(30) {
		path = choice(g, []string{path + "/", "/" + path, path + "/x", path + "%00", strings.ToUpper(path), path + "/..", path + ";a=b", "/" + url.PathEscape(choice(g, hostileValues))})
	}
	query, contentType, body := g.query(pairs), "", ""
	if method == "POST" && g.often(2) {
		query = ""
		contentType, body = g.body(pairs)
	}
	if g.often(40) {
		body = choice(g, hostileValues)
	}
	return g.message(method, path, query, contentType, body)
}

// pairs returns names and values of the parameters of an operation. Some are left out,
// repeated, or hostile.
func (g *requestGenerator) pairs(operation describedOperation) (pairs [][2]string) {
	for _, parameter := range operation.parameters {
		if parameter.In != "query" || !parameter.Required && !g.often(6) || g.often(50) {
			continue
		}
		pairs = append(pairs, [2]string{parameter.Name, g.value(parameter)})
		if g.often(50) {
			pairs = append(pairs, [2]string{parameter.Name, g.value(parameter)})
		}
	}
	if g.often(50) {
		pairs = append(pairs, [2]string{choice(g, hostileValues), choice(g, hostileValues)})
	}
	return pairs
}

// value returns a value of a parameter, mostly a valid one.
func (g *requestGenerator) value(p describedParameter) string {
	known, ok := g.known[p.Name]
	switch {
	case g.often(12):
		return choice(g, hostileValues)
	case g.often(40):
		return choice(g, hostileValues) + known + choice(g, hostileValues)
	case ok:
		return known
	case len(p.Schema.Enum) > 0:
		return fmt.Sprint(choice(g, p.Schema.Enum))
	case p.Schema.Type == "boolean":
		return choice(g, []string{"true", "false", "1", "0", "yes", "no", "T"})
	case p.Schema.Type == "integer" || p.Schema.Type == "number":
		least := 0
		if p.Schema.Minimum != nil {
			least = int(*p.Schema.Minimum)
		}
		return fmt.Sprint(least + g.random.IntN(3))
	case len(p.Schema.Examples) > 0:
		return fmt.Sprint(choice(g, p.Schema.Examples))
	}
	return choice(g, []string{"n1", "id", "t", "public", "public.t"})
}

func (g *requestGenerator) query(pairs [][2]string) string {
	var parts []string
	for _, pair := range pairs {
		value := url.QueryEscape(pair[1])
		if g.often(40) {
			value = strings.NewReplacer(" ", "+", "\r", "", "\n", "", "\x00", "").Replace(pair[1])
		}
		parts = append(parts, url.QueryEscape(pair[0])+"="+value)
	}
	return strings.Join(parts, choice(g, []string{"&", "&", "&", "&", "&", "&", "&", "&&", ";"}))
}

// body returns the parameters as a form or a JSON object.
func (g *requestGenerator) body(pairs [][2]string) (contentType, body string) {
	if g.often(2) {
		contentType, body = "application/x-www-form-urlencoded", g.query(pairs)
	} else {
		var members []string
		for _, pair := range pairs {
			name, _ := json.Marshal(pair[0])  // a string
			value, _ := json.Marshal(pair[1]) // a string
			if json.Valid([]byte(pair[1])) && g.often(2) {
				value = []byte(pair[1])
			}
			members = append(members, string(name)+":"+string(value))
		}
		contentType, body = "application/json", "{"+strings.Join(members, ",")+"}"
	}
	if g.often(15) {
		contentType = choice(g, []string{"", "text/plain", "application/json; charset=latin1", "multipart/form-data; boundary=x", "application/json, text/html", ";"})
	}
	if g.often(20) && body != "" {
		at := g.random.IntN(len(body))
		body = body[:at] + choice(g, hostileValues) + body[at:]
	}
	return contentType, body
}

// message returns a request with headers, a few of them hostile.
func (g *requestGenerator) message(method, path, query, contentType, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", method, path)
	if query != "" {
		b.WriteString("?" + query)
	}
	host := "localhost"
	if g.often(60) {
		host = oneLine(choice(g, hostileValues))
	}
	fmt.Fprintf(&b, " HTTP/1.1\r\nHost: %s\r\n", host)
	if contentType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", contentType)
	}
	names := []string{
		"Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since", "Accept-Encoding", "Authorization", "Origin", "Sec-Fetch-Site",
		"X-ACE-Request", "Content-Encoding", "Accept", "Cookie", "Traceparent", "X-Forwarded-For", "User-Agent", "Purpose",
	}
	for g.often(4) {
		value := choice(g, hostileValues)
		if g.often(2) {
			value = choice(g, []string{"bytes=0-9", "bytes=5-", "bytes=-7", "bytes=0-1,3-4", "*", "gzip", "1", "same-origin", "Basic YTpi", "Mon, 01 Jan 2024 00:00:00 GMT"})
		}
		fmt.Fprintf(&b, "%s: %s\r\n", choice(g, names), oneLine(value))
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

func oneLine(text string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(text) }

// often returns true once in n times.
func (g *requestGenerator) often(n int) bool { return g.random.IntN(n) == 0 }

func choice[T any](g *requestGenerator, list []T) T { return list[g.random.IntN(len(list))] }
