package table

// Login is what a connection to a node shows of the server and of the role that logs in.
type Login struct {
	Node      string
	Address   string // host, port and database, as the cluster definition has them
	Server    Identity
	Version   string // as the server writes it, such as 18.1
	Role      string
	Superuser bool // of the role that logs in, or the one that it becomes by its settings
}
