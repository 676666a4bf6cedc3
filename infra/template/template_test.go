package template_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"ace/infra/template"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/config"
	"ace/shared/emf"
)

const file = "../../template.yaml"

func load(t *testing.T) *template.Template {
	t.Helper()
	loaded, err := template.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// need is what a function's code needs of its deployment.
type need struct {
	variables []string // variables in addition to those that all functions read
	actions   []string // actions in addition to s3:ListBucket, sorted
	scheduled bool
}

const (
	get, put, remove, abort = "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"
	list                    = "s3:ListBucket"
	call                    = "lambda:InvokeFunction"
	secret, login           = "secretsmanager:GetSecretValue", "rds-db:connect"
	publish                 = "events:PutEvents"
	decrypt, encrypt        = "kms:Decrypt", "kms:GenerateDataKey"
)

// needs returns the needs of the functions, by the name of the directory in functions/.
func needs() map[string]need {
	submission := need{variables: []string{"ACE_CLUSTERS", "ACE_FUNCTION_TASKRUNNER"}, actions: []string{call, remove, get, list, put}}
	checks := submission
	checks.scheduled = true
	return map[string]need{
		"tablediff":   checks,
		"tablererun":  submission,
		"schemadiff":  submission,
		"repsetdiff":  submission,
		"tablerepair": submission,
		"tableundo":   submission,
		"taskstatus":  {variables: []string{"ACE_EVENT_BUS"}, actions: []string{remove, get, list, put}},
		"archive":     {actions: []string{abort, remove, get, list, put}},
		"inventory":   {variables: []string{"ACE_CLUSTERS"}, actions: []string{login, get, list, secret}},
		"taskrunner": {
			variables: []string{
				"ACE_CLUSTERS", "ACE_EVENT_BUS", "ACE_FUNCTION_BLOCKWORKER", "ACE_FUNCTION_TASKRUNNER", "ACE_MAX_INVOCATIONS", "ACE_STATEMENT_TIMEOUT", "ACE_UNIT_TIMEOUT",
			},
			actions: []string{publish, call, login, abort, remove, get, list, put, secret},
		},
		"blockworker": {variables: []string{"ACE_CLUSTERS", "ACE_STATEMENT_TIMEOUT"}, actions: []string{login, abort, get, list, put, secret}},
		"sweeper":     {variables: []string{"ACE_EVENT_BUS", "ACE_FUNCTION_TASKRUNNER"}, actions: []string{publish, call, remove, get, list, put}, scheduled: true},
	}
}

func TestTemplate_DeploysEveryFunctionOnce(t *testing.T) {
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var directories, deployed []string
	for _, entry := range entries {
		directories = append(directories, entry.Name())
	}
	for _, f := range load(t).Functions {
		deployed = append(deployed, f.Directory)
	}
	slices.Sort(deployed)
	if !slices.Equal(deployed, directories) {
		t.Errorf("the template deploys %v, there are %v", deployed, directories)
	}
	if known := slices.Sorted(maps.Keys(needs())); !slices.Equal(known, directories) {
		t.Errorf("this test knows %v, there are %v", known, directories)
	}
}

func TestTemplate_SetsForEachFunctionWhatItNeedsAndNothingElse(t *testing.T) {
	common := []string{"ACE_LOG_FORMAT", "ACE_LOG_LEVEL", "ACE_METRICS_NAMESPACE", "ACE_STORE"}
	for _, f := range load(t).Functions {
		t.Run(f.Directory, func(t *testing.T) {
			want := needs()[f.Directory]
			variables := slices.Sorted(slices.Values(slices.Concat(common, want.variables)))
			if got := slices.Sorted(maps.Keys(f.Env)); !slices.Equal(got, variables) {
				t.Errorf("the variables are %v, want %v", got, variables)
			}
			var actions []string
			for _, s := range f.Statements {
				actions = append(actions, s.Actions...)
			}
			keyed := []string{decrypt}
			if slices.Contains(want.actions, put) {
				keyed = append(keyed, encrypt)
			}
			wanted := slices.Sorted(slices.Values(slices.Concat(keyed, want.actions)))
			slices.Sort(actions)
			if got := slices.Compact(actions); !slices.Equal(got, wanted) {
				t.Errorf("the actions are %v, want %v", got, wanted)
			}
			if (f.Schedule != "") != want.scheduled {
				t.Errorf("the schedule is %q", f.Schedule)
			}
		})
	}
}

func TestTemplate_NamesOnlyVariablesThatAreRead(t *testing.T) {
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	for _, f := range load(t).Functions {
		for name := range f.Env {
			if !known[name] {
				t.Errorf("%s has the variable %s, which no function reads", f.Directory, name)
			}
		}
	}
}

func TestTemplate_NoRoleMayDoEverything(t *testing.T) {
	for _, f := range load(t).Functions {
		for _, s := range f.Statements {
			for _, action := range s.Actions {
				if action == "*" || action[len(action)-1] == '*' {
					t.Errorf("%s may %s", f.Directory, action)
				}
			}
			for _, resource := range s.Resources {
				if resource == "*" || resource == "${Archive.Arn}/*" {
					t.Errorf("%s may do %v to %s", f.Directory, s.Actions, resource)
				}
			}
		}
	}
}

func TestTemplate_HasEveryRouteOnce(t *testing.T) {
	loaded := load(t)
	var want, got []string
	for _, route := range api.Routes() {
		if route != api.RouteSchedules { // only `ace serve` has this route; the functions are scheduled by EventBridge
			want = append(want, string(route))
		}
	}
	// A path with a slash at the end must reach the same function. $default leads to
	// taskstatus.
	for _, base := range []string{"table-diff", "table-rerun", "table-repair", "table-undo", "schema-diff", "repset-diff", "replication-diff", "diffs", "reports", "before-images", "rules", "audit", "backup", "clusters", "cluster-check", "tables"} {
		want = append(want, "/ace/"+base+"/{proxy+}")
	}
	want = append(want, "$default")
	for _, f := range loaded.Functions {
		got = append(got, f.Routes...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the routes are %v, want %v", got, want)
	}
}

func TestTemplate_APathWithASlashAtTheEndReachesTheSameFunction(t *testing.T) {
	loaded := load(t)
	for _, route := range api.Routes() {
		path := route.Path("td_20240315_123456")
		if got, want := loaded.Select(path+"/"), loaded.Select(path); got != want || want == "" {
			t.Errorf("%s/ reaches %q, %s reaches %q", path, got, path, want)
		}
	}
	for path, want := range map[string]string{"/": "taskstatus", "/ace/nothing": "taskstatus", "/ace/table-diff": "tablediff", "/ace/diffs/": "archive"} {
		if got := loaded.Select(path); got != want {
			t.Errorf("%s reaches %q, want %q", path, got, want)
		}
	}
}

func TestTemplate_IsClosedAndKeepsItsSecrets(t *testing.T) {
	loaded := load(t)
	for _, tt := range []struct {
		want string
		at   []string
	}{
		{"AWS_IAM", []string{"Api", "Properties", "Auth", "DefaultAuthorizer"}},
		{"true", []string{"Api", "Properties", "Auth", "EnableIamAuthorizer"}},
		{"Enabled", []string{"Archive", "Properties", "VersioningConfiguration", "Status"}},
		{"true", []string{"Archive", "Properties", "PublicAccessBlockConfiguration", "BlockPublicAcls"}},
		{"true", []string{"Archive", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy"}},
		{"true", []string{"Archive", "Properties", "PublicAccessBlockConfiguration", "IgnorePublicAcls"}},
		{"true", []string{"Archive", "Properties", "PublicAccessBlockConfiguration", "RestrictPublicBuckets"}},
		{"Retain", []string{"Archive", "DeletionPolicy"}},
		{"Allow", []string{"TaskRunner", "Properties", "RecursiveLoop"}},
	} {
		if got := loaded.Get(append([]string{"Resources"}, tt.at...)...); got != tt.want {
			t.Errorf("%v is %v, want %s", tt.at, got, tt.want)
		}
	}
}

// A function without permission to use the key cannot read objects that the bucket has
// encrypted with the key.
func TestTemplate_OnlyTheKeyOfTheBucketMayBeUsed(t *testing.T) {
	loaded := load(t)
	rules, _ := loaded.Get("Resources", "Archive", "Properties", "BucketEncryption", "ServerSideEncryptionConfiguration").([]any)
	const want = "[map[Fn::If:[HasKey map[BucketKeyEnabled:true ServerSideEncryptionByDefault:map[KMSMasterKeyID:map[Ref:KeyArn] SSEAlgorithm:aws:kms]] " +
		"map[ServerSideEncryptionByDefault:map[SSEAlgorithm:AES256]]]]]"
	if got := fmt.Sprint(rules); got != want {
		t.Errorf("the bucket's encryption is %s", got)
	}
	for _, f := range loaded.Functions {
		for _, s := range f.Statements {
			if slices.Contains(s.Actions, decrypt) && !slices.Equal(s.Resources, []string{"${KeyArn}"}) {
				t.Errorf("%s may decrypt with %v", f.Directory, s.Resources)
			}
		}
	}
}

func TestTemplate_RemovesEverythingThatTasksLeave(t *testing.T) {
	rules := fmt.Sprint(load(t).Get("Resources", "Archive", "Properties", "LifecycleConfiguration", "Rules"))
	for _, prefix := range []string{
		archive.TasksPrefix, archive.ImportPrefix, archive.IncomingPrefix, archive.BaselinesRoot, archive.NotificationsPrefix, "diffs/", "reports/", "repairs/", "index/",
	} {
		if !strings.Contains(rules, "Prefix:"+prefix+" ") {
			t.Errorf("nothing removes %s", prefix)
		}
	}
}

// A function that ends tasks stores their events, and one that sends them removes them.
func TestTemplate_EveryFunctionThatEndsTasksMayStoreEvents(t *testing.T) {
	const outbox = "${Archive.Arn}/" + archive.NotificationsPrefix + "*"
	for _, f := range load(t).Functions {
		var may []string
		for _, s := range f.Statements {
			if slices.Contains(s.Resources, outbox) {
				may = append(may, s.Actions...)
			}
			if slices.Contains(s.Actions, publish) && !slices.Equal(s.Resources, []string{"${EventBusArn}"}) {
				t.Errorf("%s may publish to %v", f.Directory, s.Resources)
			}
		}
		slices.Sort(may)
		want := map[string][]string{"taskstatus": {put}, "taskrunner": {remove, get, put}, "sweeper": {remove, get, put}}[f.Directory]
		if !slices.Equal(may, want) {
			t.Errorf("%s may do %v to the outbox, want %v", f.Directory, may, want)
		}
	}
}

func TestTemplate_CapsTheConnectionsOfTheDatabases(t *testing.T) {
	for _, f := range load(t).Functions {
		want := map[string]string{"blockworker": "${MaxWorkers}", "taskrunner": "${MaxTasks}", "sweeper": "1", "inventory": "2"}[f.Directory]
		if f.Concurrency != want {
			t.Errorf("%s has the reserved concurrency %q, want %q", f.Directory, f.Concurrency, want)
		}
	}
}

func TestTemplate_AlarmsWatchMetricsThatTheFunctionsWrite(t *testing.T) {
	loaded := load(t)
	alarm := func(name string) string {
		text, _ := loaded.Get("Resources", "DifferingRowsAlarm", "Properties", name).(string)
		return text
	}
	if got := alarm("MetricName"); got != emf.DifferingRows {
		t.Errorf("the alarm on differing rows watches %q, the functions write %q", got, emf.DifferingRows)
	}
	namespace := fmt.Sprint(loaded.Get("Resources", "DifferingRowsAlarm", "Properties", "Namespace"))
	written := fmt.Sprint(loaded.Get("Globals", "Function", "Environment", "Variables", "ACE_METRICS_NAMESPACE"))
	if namespace != written {
		t.Errorf("the alarm is for the namespace %s, the functions write to %s", namespace, written)
	}
	if loaded.Get("Resources", "DifferingRowsAlarm", "Properties", "Dimensions") != nil {
		t.Error("the metric of all tables has no dimension")
	}
}
