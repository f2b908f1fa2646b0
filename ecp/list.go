package ecp

import ()

// ListLimit bounds a page.
const ListLimit = 500
