package cluster

import (
	"bytes"
	"strings"

	"github.com/jackc/pgservicefile"

	"ace/shared/fault"
)

// parseService returns the definition of the cluster called name, which it reads from the
// sections [name] (defaults for all nodes) and [name.node] of a service file. found is
// false if the file has none of these sections.
func parseService(where, name string, data []byte) (c Cluster, found bool, err error) {
	services, err := readServices(where, data)
	if err != nil {
		return Cluster{}, false, err
	}

	c = Cluster{Name: name}
	defaults := make(map[string]string)
	for _, service := range services {
		if service.Name == name {
			defaults, found = service.Settings, true
		}
	}

	for _, service := range services {
		node, ok := strings.CutPrefix(service.Name, name+".")
		if !ok || node == "" || strings.Contains(node, ".") { // [a.b.n1] is node n1 of the cluster a.b
			continue
		}
		found = true
		if err := c.addServiceNode(where, node, merged(defaults, service.Settings)); err != nil {
			return Cluster{}, found, err
		}
	}

	if !found {
		return Cluster{}, false, nil
	}

	c.Databases = serviceDatabase(defaults, c.Nodes)
	return c, true, c.validate(where)
}

// serviceNames returns the names of the clusters in a service file. A section belongs to
// a cluster if its name contains a dot: [shop.n1] is node n1 of cluster shop.
func serviceNames(where string, data []byte) ([]string, error) {
	services, err := readServices(where, data)
	var names []string
	for _, service := range services {
		if i := strings.LastIndex(service.Name, "."); i > 0 {
			names = append(names, service.Name[:i])
		}
	}
	return names, err
}

func readServices(where string, data []byte) ([]*pgservicefile.Service, error) {
	file, err := pgservicefile.ParseServicefile(bytes.NewReader(data))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s: %v; each line must be a [section], name=value or a # comment", where, err)
	}
	seen := make(map[string]bool, len(file.Services))
	for _, service := range file.Services {
		if seen[service.Name] {
			return nil, fault.New(fault.Invalid, "%s: section [%s] occurs twice", where, service.Name)
		}
		seen[service.Name] = true
	}
	return file.Services, nil
}

// serviceDatabase returns the only database of a cluster in a service file. Its name is
// that in the shared defaults, or else that of the first node. If neither names a
// database, the result is nil. Other nodes may override the name.
func serviceDatabase(defaults map[string]string, nodes []Node) []Database {
	db := Database{Name: defaults["dbname"], User: defaults["user"], Login: Login{Password: Secret(defaults["password"])}}
	if db.Name == "" && len(nodes) > 0 {
		db.Name = nodes[0].Database
	}
	if db.Name == "" {
		return nil
	}
	return []Database{db}
}

func (c *Cluster) addServiceNode(where, name string, settings map[string]string) error {
	owner := "section [" + c.Name + "." + name + "]"
	port, err := portOf(where, owner, settings["port"])
	if err != nil {
		return err
	}

	node := Node{
		Name: name, Host: settings["host"], HostKey: "host", Port: port,
		Database: settings["dbname"], User: settings["user"], Login: Login{Password: Secret(settings["password"])},
	}
	if node.Host == "" {
		node.Host, node.HostKey = settings["hostaddr"], "hostaddr"
	}

	node.Options, node.KeyPassword, err = c.addOptions(where, owner, settings)
	if err != nil {
		return err
	}

	c.Nodes = append(c.Nodes, node)
	return nil
}
