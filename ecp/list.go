package ecp

// ListLimit bounds a page.
const ListLimit = 500

// ListOptions selects and sorts clusters. Zero values select all, in the order
// of their ids.
type ListOptions struct {
	Project    string
	Mode       Mode
	State      State
	Version    string // as wanted, or of adopted clusters as reported; exactly
	Query      string // part of the name or the id, in any case
	Sort       SortKey
	Descending bool
	Cursor     string // Next of the page before, with the same Sort
	Limit      int    // 0 = 50; at most [ListLimit]
}

// Page is a part of a list.
type Page struct {
	Items []Info
	Next  string // Cursor of the next page; "" = this was the last
}

// SortKey is what a list is sorted by.
type SortKey string

// The keys. List that have the same are in the order of their ids.
const (
	SortID          SortKey = "id"
	SortName        SortKey = "name" // without regard to case
	SortProject     SortKey = "project"
	SortState       SortKey = "state"
	SortVersion     SortKey = "version" // as wanted, or of adopted clusters as reported
	SortCreated     SortKey = "created"
	SortUpdated     SortKey = "updated"     // last change of what is wanted
	SortNodes       SortKey = "nodes"       // as wanted, or of adopted clusters as reported
	SortConnections SortKey = "connections" // booked
)

// SortKeys lists the keys a list can be sorted by.
func SortKeys() []SortKey {
	return []SortKey{SortID, SortName, SortProject, SortState, SortVersion, SortCreated, SortUpdated, SortNodes, SortConnections}
}
