package pg

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestMayQuoteValue_IsFalseOnlyForErrorsAboutTheServerOrTheStatement(t *testing.T) {
	for _, tt := range []struct {
		name string
		e    pgconn.PgError
		want bool
	}{
		{"a value that is no integer", pgconn.PgError{Code: "22P02"}, true},
		{"a constant in the statement that is no integer", pgconn.PgError{Code: "22P02", Position: 8}, false},
		{"a violated constraint", pgconn.PgError{Code: "23505"}, true},
		{"a regclass without a table", pgconn.PgError{Code: "42P01"}, true},
		{"a missing column", pgconn.PgError{Code: "42703", Position: 30}, false},
		{"a missing privilege", pgconn.PgError{Code: "42501"}, false},
		{"RAISE", pgconn.PgError{Code: "P0001"}, true},
		{"RAISE with the code of a missing privilege", pgconn.PgError{Code: "42501", Routine: "exec_stmt_raise"}, true},
		{"an error of PL/Python with the code of a timeout", pgconn.PgError{Code: "57014", Routine: "PLy_elog_impl"}, true},
		{"an error of an extension's input function", pgconn.PgError{Code: "XX000", Message: "parse error - invalid geometry", Hint: `"POINT(1"`}, true},
		{"a value that is too large", pgconn.PgError{Code: "XX000", Message: "invalid memory alloc request size 1073741824"}, false},
		{"a damaged page", pgconn.PgError{Code: "XX001"}, false},
		{"an SQLSTATE of a function's own", pgconn.PgError{Code: "AB123"}, true},
		{"no SQLSTATE", pgconn.PgError{}, true},
		{"a full disk", pgconn.PgError{Code: "53100"}, false},
		{"a damaged index", pgconn.PgError{Code: "XX002"}, false},
		{"a statement timeout", pgconn.PgError{Code: "57014"}, false},
	} {
		if got := mayQuoteValue(&tt.e); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
