//go:build !unit

package tablerepair

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/pg"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tableschema"
)

// counted counts the keys that are looked up.
type counted struct {
	*pg.Tx
	lookedUp int
}

func (c *counted) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	c.lookedUp += len(keys)
	return c.Tx.Digests(ctx, s, keys, options...)
}

func TestReadDigests_ReturnsWhatALookUpReturns(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	at := c.Nodes[0]
	pools := pg.NewPools(pg.Options{MaxConns: 2, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	node, err := pools.Node(cluster.Target{
		Node: at.Name, Host: at.Host, Port: uint16(at.Port), Database: c.DB, User: c.User,
		Login: cluster.Login{Password: cluster.Secret(c.Password)}, Options: map[string]string{"sslmode": "disable"},
	})
	if err != nil {
		t.Fatal(err)
	}

	const rows = 4000
	for _, tt := range []struct {
		name, create  string
		present, keys float64 // how many of the numbers are rows, and keys
		most          int     // how many keys may be looked up
	}{
		{"every row is a key", `id bigint PRIMARY KEY`, 1, 1, rangeKeys},
		{"a composite key", `id int, part int DEFAULT 0, PRIMARY KEY (part, id)`, 1, 1, rangeKeys},
		{"most rows are keys", `id bigint PRIMARY KEY`, 1, 0.8, rangeKeys},
		{"some keys are absent", `id int PRIMARY KEY`, 0.9, 1, rangeKeys + rows/5},
		{"few rows are keys", `id bigint PRIMARY KEY`, 1, 0.3, rows},
		{"there are no rows", `id bigint PRIMARY KEY`, 0, 1, rows},
		{"the key is a text", `id text COLLATE "C" PRIMARY KEY`, 1, 1, rows},
		{"few keys", `id bigint PRIMARY KEY`, 1, 0.05, rows},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.Exec(t, 0, `DROP TABLE IF EXISTS t`, `CREATE TABLE t (`+tt.create+`, v text)`)
			random := rand.New(rand.NewPCG(1, 2))
			var keys []table.Key
			values := ""
			for i := range rows {
				id := fmt.Sprintf("%05d", i) // sorted as a number and as a text
				if random.Float64() < tt.present {
					values += fmt.Sprintf(",('%s')", id)
				}
				if random.Float64() < tt.keys {
					keys = append(keys, table.Key{id})
				}
			}
			if values != "" {
				c.Exec(t, 0, `INSERT INTO t (id) VALUES `+values[1:], `UPDATE t SET v = md5(id::text)`)
			}

			described, err := node.Describe(t.Context(), "public", "t", rowdigest.DrawSeeds())
			if err != nil {
				t.Fatal(err)
			}
			common, err := tableschema.Tables([]*table.Description{described}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := common.Source(described, 0, tableschema.Reading{Schema: "public", Table: "t", Seeds: rowdigest.DrawSeeds(), Stored: true})
			if s.KeyType[0] == "bigint" {
				for _, key := range keys {
					var id int
					_, _ = fmt.Sscanf(key[0], "%d", &id)
					key[0] = fmt.Sprint(id)
				}
			}
			if len(s.Key) == 2 {
				for i := range keys {
					keys[i] = table.Key{"0", keys[i][0]}
				}
			}

			tx, err := node.Begin(t.Context(), s.Access())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Close()
			want, err := tx.Digests(t.Context(), s, keys)
			if err != nil {
				t.Fatal(err)
			}
			reader := &counted{Tx: tx}
			got, err := readDigests(t.Context(), reader, s, keys)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%d digests, error %v", len(got), err)
			}
			for i := range want {
				if (got[i] == nil) != (want[i] == nil) || got[i] != nil && *got[i] != *want[i] {
					t.Fatalf("the key %s has another digest", keys[i])
				}
			}
			if reader.lookedUp > tt.most {
				t.Errorf("%d of %d keys were looked up, want at most %d", reader.lookedUp, len(keys), tt.most)
			}
		})
	}
}
