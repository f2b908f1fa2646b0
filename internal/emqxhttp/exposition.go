package emqxhttp

import (
	"context"
	"errors"
	"io"

	"github.com/openecp/openecp/ecp"
)

var (
	errNoExposition = errors.New("it is not in Prometheus' text format")
	errEmpty        = errors.New("it is empty")
)

// WriteExposition copies metrics in Prometheus' text format to w as they arrive, and
// returns the number of bytes. It copies nothing of an answer of another type. An empty
// answer is an error: a broker always has metrics, and a scraper would take it for a
// healthy one. refused returns the error for an answer that is not a success.
func (c *Client) WriteExposition(ctx context.Context, w io.Writer, r Request,
	refused func(context.Context, Answer) error) (int64, error) {
	r.Accept = "text/plain"
	a, n, err := c.Stream(ctx, r, w, ecp.MaxMetrics, func(a Answer) error {
		if a.Type != "text/plain" && a.Type != "application/openmetrics-text" {
			return c.Unreadable(a, errNoExposition)
		}
		return nil
	})
	switch {
	case err != nil:
	case !a.OK():
		err = refused(ctx, a)
	case n == 0:
		err = c.Unreadable(a, errEmpty)
	}
	return n, err
}
