// Package docs has the pages of this folder inside the program, so that a daemon can
// show the documentation of its own version where there is no way to the internet.
package docs

import "embed"

// Files are the pages, as they are read on GitHub, and their pictures. README.md is the index.
//
//go:embed *.md *.jpg
var Files embed.FS
