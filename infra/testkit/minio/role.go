package minio

import (
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ace/shared/archive/s3"
)

// Role returns temporary credentials for a server. They permit only what policy, a policy
// in AWS's policy language, permits.
func Role(server s3.Options, policy string) (credentials.Value, error) {
	role, err := credentials.NewSTSAssumeRole(server.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, Location: server.Region, Policy: policy, DurationSeconds: 3600,
	})
	if err != nil {
		return credentials.Value{}, err
	}
	return role.GetWithContext(nil)
}
