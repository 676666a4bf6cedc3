package diffarchive_test

import (
	"testing"

	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
)

func TestSubject_CheckNamesEveryDifference(t *testing.T) {
	asked := diffarchive.Subject{Cluster: "demo", Database: "acedb", Schema: "public", Table: "users"}
	tests := []struct {
		name    string
		summary difffile.Summary
		want    string
	}{
		{"the same", difffile.Summary{ClusterName: "demo", DBName: "acedb", Schema: "public", Table: "users"}, ""},
		{"a document without a subject", difffile.Summary{}, ""},
		{"a document without a schema", difffile.Summary{Table: "users"}, ""},
		{"another cluster", difffile.Summary{ClusterName: "other"}, "diff_file is of cluster other, cluster_name is demo"},
		{"another database", difffile.Summary{DBName: "other"}, "diff_file is of database other, dbname is acedb"},
		{"another schema", difffile.Summary{Schema: "x", Table: "users"}, "diff_file is of table x.users, table_name is public.users"},
		{"another table without schema", difffile.Summary{Table: "Users"}, `diff_file is of table public."Users", table_name is public.users`},
		{"all of it", difffile.Summary{ClusterName: "a", DBName: "b", Schema: "c", Table: "d"},
			"diff_file is of cluster a, cluster_name is demo; diff_file is of database b, dbname is acedb; diff_file is of table c.d, table_name is public.users"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := asked.Check(tt.summary)
			if tt.want == "" && err == nil {
				return
			}
			if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
