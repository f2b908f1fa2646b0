package observed

// Foreign counts members of EMQX that are no nodes, of all clusters.
func (m *Clusters) Foreign() int {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	n := 0
	for _, mem := range m.Looks {
		n += len(mem.Look.ForeignMembers)
	}
	return n
}
