package cluster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ace/shared/cluster"
)

func TestSecret_IsHiddenInEveryFormat(t *testing.T) {
	const password = "hunter2"
	target := cluster.Target{Node: "n1", Login: cluster.Login{Password: password}}
	outer := cluster.Cluster{Databases: []cluster.Database{{Login: cluster.Login{Password: password}}}, Nodes: []cluster.Node{{Login: cluster.Login{Password: password}}}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s"} {
		fmt.Fprintf(&out, verb, target.Password)
		fmt.Fprintf(&out, verb, target)
		fmt.Fprintf(&out, verb, &outer)
	}
	fmt.Fprint(&out, target.Password, target.Password.String(), target.Password.GoString())
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "password", target.Password, "target", target, "cluster", outer)
	}
	data, err := json.Marshal([]any{target, outer})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(data)
	for _, form := range []string{password, fmt.Sprintf("%x", password), fmt.Sprintf("%X", password)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the password shows as %s in %s", form, &out)
		}
	}
	if target.Password.Reveal() != password {
		t.Error("Reveal does not give the password")
	}
}
