package table

// Login describes the server and the role of a connection to a node.
type Login struct {
	Node      string
	Address   string // host, port and database, as the cluster definition has them
	Server    Identity
	Version   string // as the server reports it, such as 18.1
	Role      string
	Superuser bool // the role that logs in, or the role to which its settings switch, is a superuser
}
