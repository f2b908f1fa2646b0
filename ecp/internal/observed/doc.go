// Package observed is what is known of clusters beyond their records: what was last
// observed of each, and the ways to their brokers. [Clusters] is shared by everything
// that looks at clusters or asks them; it keeps nothing that a restart must not lose.
package observed
