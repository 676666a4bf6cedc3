package api

import (
	"errors"
	"regexp"
)

const (
	// MaxRules is the maximum size of a rules document in bytes.
	MaxRules = 256 << 10

	allowedRules = "the SHA-256 of a stored rules document, as POST /ace/rules returns it"
	exampleRules = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	rulesForm    = `[0-9a-f]{64}`
)

var rulesPattern = regexp.MustCompile(`^` + rulesForm + `$`)

// RulesRequest asks for a stored rules document.
type RulesRequest struct {
	Rules string // the SHA-256 of the document
}

// Rules is a stored rules document.
type Rules struct {
	Rules    string `json:"rules"`    // the SHA-256 of the document
	Document string `json:"document"` // the text of the document, as it was added
}

// AddRulesRequest asks to check and store a rules document: the body of the request.
type AddRulesRequest struct{}

// AddedRules answers an AddRulesRequest.
type AddedRules struct {
	Rules string `json:"rules"` // the SHA-256 of the document
	Size  int64  `json:"size"`  // the size of the document in bytes
	Count int    `json:"count"` // the number of its rules
}

// DecodeRules decodes and validates the parameters of the request for a rules document.
func DecodeRules(p Params) (RulesRequest, error) {
	r := newReader(p)
	req := RulesRequest{Rules: parseWith(r, "rules", parseRules)}
	var found problems
	if req.Rules == "" {
		found.add("rules", "rules is required")
	}
	return req, r.finish(found)
}

// DecodeAddRules returns an error if the request to add a rules document has parameters.
func DecodeAddRules(p Params) (AddRulesRequest, error) {
	return AddRulesRequest{}, newReader(p).finish(nil)
}

func parseRules(text string) (string, error) {
	if !rulesPattern.MatchString(text) {
		return "", errors.New("it must be " + allowedRules)
	}
	return text, nil
}

func rulesProblem(sum string) string {
	if !rulesPattern.MatchString(sum) {
		return notAllowed("rules", sum, allowedRules)
	}
	return ""
}

func rulesParam(required bool, purpose string) Param {
	return Param{
		Name: "rules", Kind: KindText, Required: required, Purpose: purpose, Allowed: allowedRules,
		Example: exampleRules, Values: Values{Pattern: "^" + rulesForm + "$"},
	}
}
