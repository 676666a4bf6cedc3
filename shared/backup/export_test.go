package backup

// MaxSum is the maximum size of a sum in bytes.
const MaxSum = maxSum
