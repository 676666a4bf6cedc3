package app_test

import (
	"context"
	"log/slog"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/audit"
	"ace/shared/caller"
	"ace/shared/cluster"
)

func TestRefused_AClientThatHangsUpDoesNotPreventTheEntry(t *testing.T) {
	a := app.New(app.Options{
		Store: memstore.New(t), Clusters: cluster.NewSource(cluster.Options{Path: t.TempDir()}), Log: slog.New(slog.DiscardHandler),
	})
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	a.Refused(ctx, "table-repair", &caller.RefusalError{Right: api.RightRepair})
	a.WrongToken(ctx, api.RequestedBy{From: "10.0.0.5"})
	entries, _, err := a.Audit().List(t.Context(), audit.Filter{})
	if err != nil || len(entries) != 2 {
		t.Errorf("got %+v, %v", entries, err)
	}
}
