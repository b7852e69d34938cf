locals {
  ranges = merge(
    { vpc = var.vpc_cidr, services = var.service_cidr },
    var.pod_cidr == null ? {} : { pods = var.pod_cidr },
    { for name, cidr in var.onprem_cidrs : "onprem ${name}" => cidr },
    { for name, cidr in var.foreign_cidrs : "foreign ${name}" => cidr },
  )

  # A range is the pair of its first address and the one after its last, as plain numbers: two
  # ranges overlap when each begins before the other ends.
  bounds = {
    for name, cidr in local.ranges : name => {
      first = sum([
        for position, octet in split(".", cidrhost(cidr, 0)) : tonumber(octet) * pow(256, 3 - position)
      ])
      size = pow(2, 32 - tonumber(split("/", cidr)[1]))
    }
  }
  names = sort(keys(local.ranges))

  # Each pair once: the order of the names decides which comes first.
  overlaps = flatten([
    for index, one in local.names : [
      for other in slice(local.names, index + 1, length(local.names)) :
      "${one} (${local.ranges[one]}) and ${other} (${local.ranges[other]})"
      if(
        local.bounds[one].first < local.bounds[other].first + local.bounds[other].size &&
        local.bounds[other].first < local.bounds[one].first + local.bounds[one].size
      )
    ]
  ])

  misaligned = [
    for name, cidr in local.ranges : "${name}: ${cidr} should be ${cidrhost(cidr, 0)}/${split("/", cidr)[1]}"
    if cidrhost(cidr, 0) != split("/", cidr)[0]
  ]

  today        = var.today == null ? plantimestamp() : "${var.today}T00:00:00Z"
  support_ends = lookup(var.eks_standard_support_ends, var.eks_version, null)
  # timeadd() has no unit above the hour.
  upgrade_by = local.support_ends == null ? null : timeadd("${local.support_ends}T00:00:00Z", "-${var.eks_days_ahead * 24}h")

  nat_gateways = { single = 1, per_az = length(var.availability_zones), none = 0 }[var.nat_mode]

  public_subnets  = { for index, zone in var.availability_zones : zone => cidrsubnet(var.vpc_cidr, 8, index) }
  private_subnets = { for index, zone in var.availability_zones : zone => cidrsubnet(var.vpc_cidr, 4, index + 1) }
}
