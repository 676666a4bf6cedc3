package apicases

import (
	"strings"
)

// formBodies returns requests whose body is not a valid form.
func formBodies() []Case {
	return []Case{
		post("POST: a form with a bad value", "", form,
			valid+"&block_rows=0",
			`block_rows is "0"; it must be a whole number greater than 0`),
		post("POST: a form with a charset and a bad value", "", "application/x-www-form-urlencoded; charset=utf-8",
			valid+"&block_rows=0",
			`block_rows is "0"; it must be a whole number greater than 0`),
		post("POST: a broken form", "", form,
			valid+"&x=%zz",
			"the form in the body is malformed: a % must be followed by two hexadecimal digits (write a % itself as %25)"),
		post("POST: a parameter in query and body", "quiet=true", form,
			valid+"&quiet=true",
			"quiet is given 2 times; give it once"),
		post("POST: a body of another type", valid, "text/plain",
			"quiet=true",
			`the Content-Type of the body is "text/plain"; it must be application/x-www-form-urlencoded or application/json`),
		post("POST: a body without type", valid, "",
			"quiet=true",
			`the Content-Type of the body is ""; it must be application/x-www-form-urlencoded or application/json`),
		post("POST: a multipart form", valid, "multipart/form-data; boundary=x",
			"--x--",
			`the Content-Type of the body is "multipart/form-data; boundary=x"; it must be application/x-www-form-urlencoded or application/json`),
	}
}

// objectBodies returns requests whose body is not a JSON object of parameters.
func objectBodies() []Case {
	return []Case{
		post("JSON: not JSON at all", "", object,
			"cluster_name=demo",
			"the body is not valid JSON at byte 1: invalid character 'c' looking for beginning of value"),
		post("JSON: cut off", "", object,
			`{"cluster_name": "demo"`,
			"the body is not valid JSON at byte 23: unexpected end of JSON input"),
		post("JSON: two values", "", object,
			`{"cluster_name": "demo"} {}`,
			"the body is not valid JSON at byte 26: invalid character '{' after top-level value"),
		post("JSON: a trailing comma", "", object,
			`{"cluster_name": "demo",}`,
			"the body is not valid JSON at byte 25: invalid character '}' looking for beginning of object key string"),
		post("JSON: an array", "", object,
			`["demo"]`,
			`the JSON body must be one object of parameters, such as {"cluster_name": "demo"}`),
		post("JSON: a string", "", object,
			`"demo"`,
			`the JSON body must be one object of parameters, such as {"cluster_name": "demo"}`),
		post("JSON: null", "", object,
			"null",
			`the JSON body must be one object of parameters, such as {"cluster_name": "demo"}`),
		post("JSON: an empty object", "", object,
			"{}",
			"cluster_name is required; table_name is required"),
		post("JSON: with a byte order mark", "", object,
			"\ufeff{}",
			"the body is not valid JSON at byte 1: invalid character '\u00ef' looking for beginning of value"),
		post("JSON: deeply nested", "", object,
			strings.Repeat("[", 20000),
			"the body is not valid JSON at byte 10001: invalid character '[' exceeded max depth"),
	}
}

// objectValues returns requests whose body is a JSON object with an invalid parameter.
func objectValues() []Case {
	return []Case{
		post("JSON: a parameter twice", "", object,
			validJSON+`"block_rows": 10000, "block_rows": 20000}`,
			"block_rows is given 2 times; give it once"),
		post("JSON: a parameter twice, once escaped", "", object,
			validJSON+`"quiet": true, "qui\u0065t": false}`,
			"quiet is given 2 times; give it once"),
		post("JSON: a parameter in query and body", "quiet=true", object,
			validJSON+`"quiet": true}`,
			"quiet is given 2 times; give it once"),
		post("JSON: a nested object", "", object,
			validJSON+`"table_filter": {"id": 1}}`,
			`"table_filter" is a JSON object; it must be a string, a number, true, false or an array of strings`),
		post("JSON: a null value", "", object,
			validJSON+`"dbname": null}`,
			`"dbname" is null; leave it out for the default`),
		post("JSON: an array of numbers", "", object,
			validJSON+`"nodes": [1, 2]}`,
			`"nodes" has a JSON array with other items than strings`),
		post("JSON: an array in an array", "", object,
			validJSON+`"nodes": [["n1"], ["n2"]]}`,
			`"nodes" has a JSON array with other items than strings`),
		post("JSON: an empty array", "", object,
			validJSON+`"nodes": []}`,
			"nodes is given without a value"),
		post("JSON: one node", "", object,
			validJSON+`"nodes": ["n1"]}`,
			`nodes is "n1"`+allowedNodes),
		post("JSON: a number with an exponent", "", object,
			validJSON+`"block_rows": 1e4}`,
			`block_rows is "1e4"; it must be a whole number greater than 0`),
		post("JSON: a number out of range", "", object,
			validJSON+`"max_cpu_ratio": 1.5}`,
			`max_cpu_ratio is "1.5"; it must be a number greater than 0 and at most 1`),
		post("JSON: a number for a boolean", "", object,
			validJSON+`"quiet": 2}`,
			`quiet is "2"; it must be true or false`),
		post("JSON: an unknown parameter", "", object,
			validJSON+`"blockrows": 10000}`,
			`unknown parameter "blockrows" (did you mean block_rows?)`+allowedParams),
		post("JSON: an escaped NUL", "", object,
			validJSON+`"table_filter": "\u0000"}`,
			"table_filter contains a NUL character, which PostgreSQL does not allow"),
	}
}

// routing returns requests with a wrong method or path, or with a body where none is
// allowed.
func routing() []Case {
	return []Case{
		{Name: "a body in a GET", Method: "GET", Path: tableDiff, RawQuery: valid, ContentType: form, Body: "table_filter=id%3D1", Status: 400,
			Error: "a GET request must not have a body: put its parameters in the query string, or send them with POST"},
		{Name: "HEAD, which must start nothing", Method: "HEAD", Path: tableDiff, RawQuery: valid, Status: 405,
			Error: `method "HEAD" is not supported; use GET, POST`},
		{Name: "PUT", Method: "PUT", Path: tableDiff, RawQuery: valid, Status: 405,
			Error: `method "PUT" is not supported; use GET, POST`},
		{Name: "DELETE", Method: "DELETE", Path: tableDiff, RawQuery: valid, Status: 405,
			Error: `method "DELETE" is not supported; use GET, POST`},
		{Name: "PATCH", Method: "PATCH", Path: tableDiff, RawQuery: valid, Status: 405,
			Error: `method "PATCH" is not supported; use GET, POST`},
		{Name: "OPTIONS", Method: "OPTIONS", Path: tableDiff, RawQuery: valid, Status: 405,
			Error: `method "OPTIONS" is not supported; use GET, POST`},
		{Name: "a misspelt path", Method: "GET", Path: "/ace/table-dif", RawQuery: valid, Status: 404,
			Error: `there is no path "/ace/table-dif", did you mean /ace/table-diff?`},
		{Name: "a path with two slashes at the end", Method: "GET", Path: "/ace/table-diff//", RawQuery: valid, Status: 404,
			Error: `there is no path "/ace/table-diff//", did you mean /ace/table-diff?`},
		{Name: "a bad value after a slash", Method: "GET", Path: "/ace/table-diff/", RawQuery: valid + "&quiet=2", Status: 400,
			Error: `quiet is "2"; it must be true or false`},
		{Name: "a path in capitals", Method: "GET", Path: "/ACE/TABLE-DIFF", RawQuery: valid, Status: 404,
			Error: `there is no path "/ACE/TABLE-DIFF", did you mean /ace/table-diff?`},
		{Name: "the root", Method: "GET", Path: "/", RawQuery: "", Status: 404,
			Error: `there is no path "/"`},
		{Name: "a body beyond the limit", Method: "POST", Path: tableDiff, ContentType: form, Body: strings.Repeat("x", 1<<20+1), Status: 413,
			Error: "the request body is too large; the maximum is 1048576 bytes"},
	}
}
