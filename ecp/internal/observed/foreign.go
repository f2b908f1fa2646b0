package observed

// ForeignMembers counts members of EMQX that are no nodes, of all clusters.
func (m *Clusters) ForeignMembers() int {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	n := 0
	for _, mem := range m.Memories {
		n += len(mem.Snapshot.ForeignMembers)
	}
	return n
}
