package emqxsim

func sessions(m member) int { return m.connections }
func live(m member) int     { return m.live }
func nothing(member) int    { return 0 }

func gauges(table map[string]func(member) int, m member) obj {
	o := obj{}
	for name, figure := range table {
		o[name+".count"], o[name+".max"] = figure(m), figure(m)
	}
	return o
}
