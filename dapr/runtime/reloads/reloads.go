// Package reloads lets a sidecar tell its figures and its spans after it has taken up an edited policy or endpoint.
//
// For such a file daprd starts anew within its process, and some of the run before stays behind in global places.
package reloads

// Outlive is called once, before daprd runs.
func Outlive() {
	forgetMeters()
	followProvider()
}
