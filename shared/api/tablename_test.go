package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/api"
)

func TestParseTableName_FollowsTheRulesOfSQL(t *testing.T) {
	tests := []struct {
		text string
		want api.TableName
	}{
		{"public.users", api.TableName{Schema: "public", Name: "users"}},
		{"Public.USERS", api.TableName{Schema: "public", Name: "users"}},
		{`"Public"."USERS"`, api.TableName{Schema: "Public", Name: "USERS"}},
		{`"My Schema"."a.b"`, api.TableName{Schema: "My Schema", Name: "a.b"}},
		{`public."say ""hi"""`, api.TableName{Schema: "public", Name: `say "hi"`}},
		{`public."a""""b"`, api.TableName{Schema: "public", Name: `a""b`}},
		{"s_1.t$2", api.TableName{Schema: "s_1", Name: "t$2"}},
		{"ÄSop.Übung", api.TableName{Schema: "Äsop", Name: "Übung"}}, // only ASCII folds
		{`"  "."/|,;"`, api.TableName{Schema: "  ", Name: "/|,;"}},
		{"public.select", api.TableName{Schema: "public", Name: "select"}},
		{"public." + strings.Repeat("t", 63), api.TableName{Schema: "public", Name: strings.Repeat("t", 63)}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := api.ParseTableName(tt.text)
			if err != nil || got != tt.want {
				t.Errorf("ParseTableName(%q) = %#v, %v, want %#v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestTableName_IsEqualAfterEncodingAndDecoding(t *testing.T) {
	identifier := rapid.StringMatching(`[a-zA-Z0-9_$". /,ÄßÀ-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		name := api.TableName{Schema: identifier.Draw(t, "schema"), Name: identifier.Draw(t, "name")}
		if got, err := api.ParseTableName(name.String()); err != nil || got != name {
			t.Fatalf("%#v is written %s and read as %#v, %v", name, name, got, err)
		}
		data, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		var got api.TableName
		if err := json.Unmarshal(data, &got); err != nil || got != name {
			t.Fatalf("%#v is encoded as %s and decoded as %#v, %v", name, data, got, err)
		}
	})
}

func FuzzParseTableName(f *testing.F) {
	for _, seed := range []string{
		"public.users", `"My Schema"."a.b"`, `"a""b".c`, `"`, `"".""`, "a.b.c", ".", "", "a.\x00", "ä.\xff", `a."b"c`, "1.2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := api.ParseTableName(text)
		if err != nil {
			return
		}
		if name.Schema == "" || name.Name == "" || len(name.Schema) > 63 || len(name.Name) > 63 {
			t.Fatalf("%q returned the illegal name %#v", text, name)
		}
		if again, err := api.ParseTableName(name.String()); err != nil || again != name {
			t.Fatalf("%q returned %#v, written %s, read as %#v, %v", text, name, name, again, err)
		}
	})
}
