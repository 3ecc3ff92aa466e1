export interface OrderStatus {
  readonly orderId: string;
  readonly status: 'being packed' | 'with the carrier' | 'delivered';
}

const STATUSES = ['being packed', 'with the carrier', 'delivered'] as const;

/** Stands where a call to the shop's order system would: gives the same order the same status every time. */
export async function lookUpOrder(orderId: string): Promise<OrderStatus> {
  const sum = [...orderId].reduce((total, letter) => total + letter.charCodeAt(0), 0);
  return { orderId, status: STATUSES[sum % STATUSES.length] ?? 'being packed' };
}
