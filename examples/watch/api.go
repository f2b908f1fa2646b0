package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// api is the daemon as it is called here.
type api struct {
	client    *http.Client
	base      *url.URL
	tokenFile string
}

// refusal is an answer that is not the one that was wanted.
type refusal struct {
	status int
	detail string
	after  time.Duration // asked for with Retry-After; 0 = was not
}

func (r *refusal) Error() string { return fmt.Sprintf("the API answers %d: %s", r.status, r.detail) }

// final says that asking again cannot help: the request or its token is wrong.
func (r *refusal) final() bool {
	return r.status >= 300 && r.status < 500 && r.status != http.StatusGone &&
		r.status != http.StatusTooManyRequests && r.status != http.StatusRequestTimeout
}

// get sends a request; the caller closes the body of what comes back.
func (a *api) get(ctx context.Context, path string, query url.Values, header http.Header) (*http.Response, error) {
	token, err := readToken(a.tokenFile)
	if err != nil {
		return nil, err
	}
	u := a.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer func() { _ = res.Body.Close() }() // it was read as far as it is wanted
		return nil, refused(res)
	}
	return res, nil
}

// refused reads a problem (RFC 9457).
func refused(res *http.Response) *refusal {
	r := &refusal{status: res.StatusCode}
	var problem struct{ Detail string }
	if b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10)); err == nil && json.Unmarshal(b, &problem) == nil {
		r.detail = problem.Detail
	}
	if r.detail == "" {
		r.detail = http.StatusText(res.StatusCode)
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.after = time.Duration(seconds) * time.Second
	}
	return r
}

// clusters lists all clusters, page by page.
func (a *api) clusters(ctx context.Context, project string, each func(cluster)) error {
	query := url.Values{"limit": {"500"}}
	if project != "" {
		query.Set("project", project)
	}
	for {
		page, next, err := a.page(ctx, query)
		if err != nil {
			return err
		}
		for _, c := range page {
			each(c)
		}
		if next == "" {
			return nil
		}
		query.Set("cursor", next)
	}
}

func (a *api) page(ctx context.Context, query url.Values) (items []cluster, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	res, err := a.get(ctx, "/api/v1/clusters", query, nil)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end, or that failed
	var list struct {
		Items []cluster `json:"items"`
		Next  string    `json:"next"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<20)).Decode(&list); err != nil {
		return nil, "", fmt.Errorf("read the list of clusters: %w", err)
	}
	return list.Items, list.Next, nil
}
