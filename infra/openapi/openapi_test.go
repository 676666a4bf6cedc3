package openapi_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"ace/infra/openapi"
)

var update = flag.Bool("update", false, "write docs/openapi.json")

const golden = "../../docs/openapi.json"

func TestDescription_IsThatOfTheCode(t *testing.T) {
	described, err := openapi.Describe("../..")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, described, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, described) {
		t.Errorf("docs/openapi.json is not what the code says: run go test ./infra/openapi -update, and read the difference")
	}
}

func TestDescription_IsValidOpenAPI(t *testing.T) {
	stored, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(stored)
	if err != nil {
		t.Fatal(err)
	}
	check, found := validator.NewValidator(document)
	if len(found) > 0 {
		t.Fatal(found)
	}
	if ok, problems := check.ValidateDocument(); !ok {
		for _, problem := range problems {
			t.Error(problem)
		}
	}
}
