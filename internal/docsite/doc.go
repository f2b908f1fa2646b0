// Package docsite serves a folder of Markdown pages to browsers as HTML. It renders a page
// when it is asked for and keeps nothing. The pages need no script, load nothing from
// elsewhere, and pass no HTML of their own on.
package docsite
