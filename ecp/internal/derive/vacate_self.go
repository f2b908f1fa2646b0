package derive

// NodeNames are the EMQX names of the nodes that are there.
func (v View) NodeNames() []string {
	var names []string
	for _, n := range v.Snapshot.Found.Nodes {
		names = append(names, n.Name)
	}
	return names
}
