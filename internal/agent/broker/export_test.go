package broker

// How many requests through the tunnel run at once.
const (
	APIAtOnce       = apiAtOnce
	DashboardAtOnce = dashboardAtOnce
)
