package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/rules"
)

const typeYAML = "application/yaml"

// AddRules checks a rules document and stores it under its SHA-256. Adding the same text
// again stores nothing and returns the same answer. The error is Invalid if the text is
// not a rules document.
func (s *Service) AddRules(ctx context.Context, _ api.AddRulesRequest, body io.Reader) (api.AddedRules, error) {
	text, err := io.ReadAll(body) // the endpoint limits the size
	if err != nil {
		return api.AddedRules{}, err
	}
	document, err := rules.Parse(text)
	if err != nil {
		return api.AddedRules{}, err
	}

	if _, err := s.record(ctx, api.AuditEntry{Action: api.RouteRules.Name(), Object: archive.RulesKey(hashOf(text))}); err != nil {
		return api.AddedRules{}, err
	}

	added := api.AddedRules{Rules: hashOf(text), Size: int64(len(text)), Count: len(document.Rules)}
	_, err = s.Store.PutIfAbsent(ctx, archive.RulesKey(added.Rules), typeYAML, text)
	if errors.Is(err, archive.ErrPrecondition) {
		_, err = s.Rules(ctx, api.RulesRequest{Rules: added.Rules}) // fails if the stored text is damaged
	}
	return added, err
}

// Rules returns a stored rules document.
func (s *Service) Rules(ctx context.Context, req api.RulesRequest) (api.Rules, error) {
	text, err := readRules(ctx, s.Store, req.Rules)
	return api.Rules{Rules: req.Rules, Document: text}, err
}

// readRules returns the text of the rules document with this SHA-256.
func readRules(ctx context.Context, store archive.Store, sum string) (string, error) {
	object, err := store.Get(ctx, archive.RulesKey(sum))
	if errors.Is(err, archive.ErrNotFound) {
		return "", fault.Wrap(err, fault.NotFound, "there are no rules %s; POST %s stores a rules document", sum, api.RouteRules)
	}
	if err != nil {
		return "", err
	}
	defer object.Body.Close()

	text, err := io.ReadAll(io.LimitReader(object.Body, rules.MaxSize+1))
	if err != nil {
		return "", err
	}
	if hashOf(text) != sum {
		return "", fault.New(fault.Internal, "%s in the archive is damaged: its SHA-256 is not %s", archive.RulesKey(sum), sum)
	}
	return string(text), nil
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
