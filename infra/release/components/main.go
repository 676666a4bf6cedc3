// Command components lists what a built program consists of. `components BINARY VERSION
// SBOM LICENSES` reads the build information of the program. It writes a software bill of
// materials (CycloneDX) and the licenses of everything that is linked. The same program
// produces the same bytes.
package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: components BINARY VERSION SBOM LICENSES")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "components:", err)
		os.Exit(1)
	}
}

// write writes the bill of materials to the file sbom, and the licenses to the file
// licenses. version is the version of the program.
func write(binary, version, sbom, licenses string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("%s has no build information: %w", binary, err)
	}

	modules := linked(info)
	bom, err := encode(document(version, info, modules))
	if err != nil {
		return err
	}
	if err := os.WriteFile(sbom, bom, 0o644); err != nil { //nolint:gosec // a published file
		return err
	}

	texts, err := collect(context.Background(), modules)
	if err != nil {
		return err
	}
	return os.WriteFile(licenses, texts, 0o644) //nolint:gosec // a published file
}
